package config

import (
	"strings"

	"matrixrtc-auth/internal/redisurl"
)

// redis parses the variables of the Redis store, even if another store is used.
// LIVEKIT_REDIS_PASSWORD has the password as it is, not percent-encoded.
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

// redisURL parses v, the address of Redis. password is the variable that may
// override the password in the address.
func (j *judge) redisURL(v, password value) redisurl.URL {
	if !v.isSet() {
		return redisurl.URL{}
	}
	u, err := redisurl.Parse(v.get())
	if err != nil {
		j.fault(v, "%v", err)
		return redisurl.URL{}
	}
	if u.HasPassword() && password.isSet() {
		j.warn(v, Ignored, "the password in the URL is ignored, because %s is set and is used instead; remove one of the two", password.name)
	}
	if u.Unverified() {
		j.warn(v, Unverified, "with skip_verify the service does not check the certificate of Redis; remove skip_verify; LIVEKIT_CA_FILE adds the certificate of a private authority")
	}
	return u
}

// redisPrefix parses the beginning of all key names in Redis; the default is
// matrixrtc-auth. Services that share a Redis need different beginnings.
// redisPrefix refuses braces, because in a Redis cluster braces decide which
// node holds a key. Package redisstore puts its own braces into the key names.
func (j *judge) redisPrefix(v value) string {
	const longest = 64
	text := v.get()
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '{' || r == '}' }
	if len(text) > longest || strings.ContainsFunc(text, bad) {
		j.fault(v, "%s cannot be the beginning of key names in Redis; write at most %d letters, digits and signs of ASCII, without spaces and braces", shown(text), longest)
		return ""
	}
	return text
}

// idle warns of variables that are set, but have an effect only with Redis.
func (j *judge) idle(values ...value) {
	for _, v := range values {
		if v.isSet() {
			j.warn(v, Ignored, "this variable is ignored, because LIVEKIT_REDIS_URL is not set, so delegated leaves are not kept in Redis; set LIVEKIT_REDIS_URL, or remove this variable")
		}
	}
}
