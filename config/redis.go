package config

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/internal/secret"
)

// redis judges the shared store, whether or not it is the one to use.
func (j *judge) redis() Store {
	inline, file := j.variable("LIVEKIT_REDIS_PASSWORD"), j.variable("LIVEKIT_REDIS_PASSWORD_FROM_FILE")
	password, _ := j.inlineOrFile(inline, file, "the password of Redis")
	return Store{
		Kind:          StoreRedis,
		RedisURL:      j.redisURL(j.variable("LIVEKIT_REDIS_URL"), decisive(inline, file)),
		RedisPassword: password,
		RedisPrefix:   j.redisPrefix(j.variable("LIVEKIT_REDIS_PREFIX")),
	}
}

// redisURL judges the address of the shared store. Nothing of it is repeated:
// a password that is not percent-encoded can be in any part.
func (j *judge) redisURL(v, password value) secret.Text {
	if !v.isSet() {
		return secret.Text{}
	}
	u, options, ok := parseRedisURL(v.get())
	switch {
	case !ok:
		j.fault(v, "not the URL of a Redis server (not shown: it may hold a password); write redis://host:6379/0, rediss:// for TLS or "+
			"unix:///path, and percent-encode what is special in the password or put that into LIVEKIT_REDIS_PASSWORD")
		return secret.Text{}
	case !isOneOrCluster(u.Query(), options):
		j.fault(v, "asks for a cluster in a way that is none (not shown: it may hold a password); "+
			"write redis://host:6379?cluster=true&addr=host2:6379, with database 0, which is a cluster's only one")
		return secret.Text{}
	}
	if _, has := u.User.Password(); has && password.isSet() {
		j.warn(v, Ignored, "its password is ignored, because %s is set and wins", password.name)
	}
	if options.TLSConfig != nil && options.TLSConfig.InsecureSkipVerify {
		j.warn(v, Unverified, "skip_verify: the certificate of Redis is not checked; LIVEKIT_CA_FILE adds a private authority instead")
	}
	return v.text
}

// parseRedisURL accepts nothing that redisstore does not, and less: what can
// only be a mistake is refused, like an address without a host.
func parseRedisURL(text string) (*url.URL, *redis.Options, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" || strings.ContainsFunc(text, invisible) || strings.Contains(u.Path+u.RawQuery, "@") {
		return nil, nil, false
	}
	ok := false
	switch u.Scheme {
	case "redis", "rediss":
		ok = checkHost(u) == nil && isDatabase(strings.TrimPrefix(u.Path, "/"))
	case "unix":
		ok = u.Host == "" && len(u.Path) > 1
	}
	if !ok {
		return nil, nil, false
	}
	options, err := redis.ParseURL(withoutCluster(*u).String())
	return u, options, err == nil && options.DB >= 0 && (options.Network == "unix" || isAddress(options.Addr))
}

// withoutCluster drops the parameters that are ours, not the library's.
func withoutCluster(u url.URL) *url.URL {
	query := u.Query()
	query.Del("cluster")
	query.Del("addr")
	u.RawQuery = query.Encode()
	return &u
}

// isOneOrCluster reports whether the parameters ask for a single server, or
// for a cluster as it can be.
func isOneOrCluster(query url.Values, options *redis.Options) bool {
	further := query["addr"]
	switch query.Get("cluster") {
	case "true":
		wrong := slices.ContainsFunc(further, func(addr string) bool { return !isAddress(addr) })
		return options.Network == "tcp" && options.DB == 0 && !wrong
	case "", "false":
		return len(further) == 0
	}
	return false
}

func isAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	return err == nil && host != "" && isHost(host) && isPort(port, 1)
}

// isDatabase accepts the number of a database, or none.
func isDatabase(path string) bool {
	_, err := strconv.ParseUint(path, 10, 16)
	return path == "" || err == nil
}

// redactURL returns the URL without user name and password, and of the query
// what makes it a cluster.
func redactURL(text secret.Text) string {
	u, _, ok := parseRedisURL(text.Reveal())
	if !ok {
		return text.String()
	}
	redacted := u.Scheme + "://" + u.Host + u.Path
	if u.User != nil {
		redacted = u.Scheme + "://[redacted]@" + u.Host + u.Path
	}
	var query []string
	if u.Query().Get("cluster") == "true" {
		query = append(query, "cluster=true")
	}
	for _, addr := range u.Query()["addr"] {
		query = append(query, "addr="+addr)
	}
	if withoutCluster(*u).RawQuery != "" {
		query = append(query, "[redacted]")
	}
	if len(query) > 0 {
		redacted += "?" + strings.Join(query, "&")
	}
	return redacted
}

// redisPrefix refuses braces: in a cluster they decide which node has a key,
// and redisstore writes its own.
func (j *judge) redisPrefix(v value) string {
	const longest = 64
	text := v.get()
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }
	if len(text) > longest || strings.ContainsFunc(text, bad) {
		j.fault(v, "%s cannot begin the names of keys; write at most %d letters, digits and signs of ASCII, without spaces and braces", shown(text), longest)
		return ""
	}
	return text
}

// idle warns of what only matters with Redis.
func (j *judge) idle(values ...value) {
	for _, v := range values {
		if v.isSet() {
			j.warn(v, Ignored, "ignored, because LIVEKIT_REDIS_URL is not set: delegated leaves are not kept in Redis")
		}
	}
}
