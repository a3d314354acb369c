package config

import (
	"path"
	"strings"
	"unicode"

	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/internal/secret"
)

// Store says where the service keeps delegated leaves.
type Store struct {
	Kind StoreKind
	// Path is the absolute path of the store's file, if Kind is StoreFile.
	Path string
	// RedisURL, RedisPassword and RedisPrefix are set if Kind is StoreRedis. If
	// RedisPassword is set, it replaces the password in the URL.
	RedisURL      redisurl.URL
	RedisPassword secret.Text
	// RedisPrefix is the beginning of all key names in Redis.
	RedisPrefix string
}

// StoreKind is a kind of store.
type StoreKind string

// The kinds of stores.
const (
	StoreMemory StoreKind = "memory"
	StoreFile   StoreKind = "file"
	StoreRedis  StoreKind = "redis"
)

// String returns the store in the form of LIVEKIT_STORE.
func (s Store) String() string {
	if s.Kind == StoreFile {
		return filePrefix + s.Path
	}
	return string(s.Kind)
}

const (
	filePrefix = "file:"
	// dataDir is the directory at which a container should have a volume.
	dataDir   = "/data"
	usualFile = dataDir + "/leaves.db"
)

// store returns where leaves are kept. It checks the variables even if
// delegation is off, so that LIVEKIT_DELEGATION=on later finds no new faults.
func (j *judge) store(v value, delegation bool) Store {
	redis, url := j.redis(), j.variable("LIVEKIT_REDIS_URL")
	s, ok := j.namedStore(v, url)
	if !v.isSet() {
		s, ok = j.usualStore(url), true
		if s.Kind == StoreMemory && delegation {
			j.warn(v, Forgetful, "not set, and %s is no volume that this user may write to: delegated leaves are kept in memory, and a restart loses them; "+
				"mount a volume at %s that this user may write to, or set file:/path or redis (memory, if you mean it)", dataDir, dataDir)
		}
	}
	if ok && delegation {
		j.lasts(v, s)
	}
	switch {
	case ok && s.Kind == StoreRedis:
		return redis
	case ok && !url.isSet():
		j.idle(j.variable("LIVEKIT_REDIS_PASSWORD"), j.variable("LIVEKIT_REDIS_PASSWORD_FROM_FILE"), j.variable("LIVEKIT_REDIS_PREFIX"))
	}
	return s
}

// lasts checks whether the store's file survives a restart. It warns if the
// file is below dataDir and will be lost. It does not warn of a file elsewhere,
// because the operator has chosen that place.
func (j *judge) lasts(v value, s Store) {
	dir := path.Dir(s.Path)
	if s.Kind != StoreFile || j.input.Fleeting == nil || dir != dataDir && !strings.HasPrefix(dir, dataDir+"/") {
		return
	}
	if why := j.input.Fleeting(dir); why != "" {
		j.warn(v, Forgetful, "delegated leaves are kept in %s: %s; mount a volume there (or set memory, if you mean it)", dir, why)
	}
}

// usualStore returns the store that is used while LIVEKIT_STORE is not set. It is
// Redis if LIVEKIT_REDIS_URL is set. Otherwise it is the file /data/leaves.db if
// /data is a volume that can be written, and else memory.
func (j *judge) usualStore(url value) Store {
	switch {
	case url.isSet():
		return Store{Kind: StoreRedis}
	case j.input.DataWritable:
		return Store{Kind: StoreFile, Path: usualFile}
	}
	return Store{Kind: StoreMemory}
}

// namedStore parses LIVEKIT_STORE, if that is set, and checks that it agrees
// with LIVEKIT_REDIS_URL.
func (j *judge) namedStore(v, url value) (s Store, ok bool) {
	if !v.isSet() {
		return Store{}, false
	}
	s, ok = j.parseStore(v)
	switch {
	case !ok:
	case s.Kind == StoreRedis && !url.isSet():
		j.missing(": LIVEKIT_STORE is redis; write redis://host:6379/0, or set another store", url)
		return Store{}, false
	case s.Kind != StoreRedis && url.isSet():
		j.fault(v, "the value is %s, but LIVEKIT_REDIS_URL is set; write redis, or remove one of the two variables", s.Kind)
		return Store{}, false
	}
	return s, ok
}

func (j *judge) parseStore(v value) (s Store, ok bool) {
	file, isFile := strings.CutPrefix(v.get(), filePrefix)
	kind := StoreKind(strings.ToLower(v.get()))
	switch {
	case isFile:
		return j.fileStore(v, file)
	case kind == StoreMemory, kind == StoreRedis:
		return Store{Kind: kind}, true
	}
	j.fault(v, "the value (not shown: it may hold a password) is not a store; write memory, file:/path or redis; the URL of Redis belongs in LIVEKIT_REDIS_URL")
	return Store{}, false
}

// fileStore parses the path of the store's file. It demands an absolute path,
// because a relative one depends on where the program is started. The bound on
// the path's length leaves room for the suffixes that the store appends.
func (j *judge) fileStore(v value, file string) (Store, bool) {
	const longest = 200
	switch {
	case !path.IsAbs(file), len(file) > longest, strings.ContainsFunc(file, func(r rune) bool { return !unicode.IsPrint(r) }):
		j.fault(v, "%s is not the absolute path of a file, with at most %d characters; write one like %s%s", shown(v.get()), longest, filePrefix, usualFile)
		return Store{}, false
	case strings.HasSuffix(file, "/"), path.Clean(file) == dataDir:
		j.fault(v, "%s names a directory; write the file's name, too, like %s%s", shown(v.get()), filePrefix, usualFile)
		return Store{}, false
	}
	return Store{Kind: StoreFile, Path: path.Clean(file)}, true
}
