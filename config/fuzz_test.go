package config_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"matrixrtc-auth/config"
)

// marker is a part of every secret in the fuzz test, and of nothing else.
const marker = "correct-horse-battery-staple-9f8e7d6c5b"

func FuzzParse(f *testing.F) {
	f.Add("LIVEKIT_URL=wss://sfu.example.org\nLIVEKIT_KEY=APIkey\nLIVEKIT_FULL_ACCESS_HOMESERVERS=example.org", "", "", "secret")
	f.Add("LIVEKIT_URL=ws://h\nLIVEKIT_KEY_FILE=/f\nLIVEKIT_LOCAL_HOMESERVERS=*", "k: a: ", " # c\nk2: 'b'", "")
	f.Add("LIVEKIT_AS_REGISTRATION_FILE=/f\nLIVEKIT_HS_SERVER_NAME=a.org", "hs_token: x\nas_token: ", "", "as")
	f.Add("LIVEKIT_SECRET_FROM_FILE=/f\nLIVEKIT_JWT_BIND=unix:/x\nLIVEKIT_METRICS_BIND=:9", "\ufeff", "\r\n", "redis")
	f.Add("LIVEKIT_FEDERATION_URL_OVERRIDES=a.org=http://b:1/ c.org=d\nLIVEKIT_CA_FILE=/f\nLK_JWT_PORT=1", "-----BEGIN CERTIFICATE-----\n", "\n-----END CERTIFICATE-----", "redis")
	f.Add("LIVEKIT_RATE_LIMIT=1/min,burst=1\nLIVEKIT_TRUSTED_PROXIES=::ffff:1.2.3.4/100\nLIVEKIT_TOKEN_TTL=1h\nLIVEKIT_SANITY_CHECK_INTERVAL_SECONDS=9", "", "", "redis as secret")
	f.Add("LIVEKIT_STORE=file:/x\nLIVEKIT_DELAYED_EVENT_RATE=0.5/s\nLIVEKIT_MAX_JOBS=9\nLIVEKIT_RECONNECT_GRACE=1s\nLIVEKIT_DELEGATION=off", "", "", "")
	f.Add("LIVEKIT_STORE=redis\nLIVEKIT_REDIS_PASSWORD_FROM_FILE=/f\nLIVEKIT_REDIS_PREFIX=a\nLIVEKIT_REDIS_URL=redis://a?cluster=true&addr=b:1", "", "", "")
	f.Fuzz(func(t *testing.T, lines, before, after, secrets string) {
		set := fuzzVars(lines, secrets)
		files := disk{"/f": before + marker + after}
		in := set.others(set)
		c, warnings, err := config.Parse(in, files.read)
		if err == nil {
			checkConfig(t, c)
		}
		messages := strings.Split(errorText(err), "\n")
		for _, warning := range warnings {
			messages = append(messages, warning.String())
		}
		for _, line := range messages {
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("got the message %q, want one visible line", line)
			}
		}
		for how, out := range outputs(c, in, warnings, err) {
			if strings.Contains(out, marker) && (how != "%+v" || !markedKey(c)) {
				t.Errorf("%s: got %s, want no secret in it", how, out)
			}
		}
	})
}

// fuzzVars returns the minimal variables, changed by lines of the form
// NAME=value. The parameter secrets is a random text. If it contains the word
// "secret", "as" or "redis", fuzzVars also sets the secret variables that belong to
// the word. Their values contain the random text and the marker.
func fuzzVars(lines, secrets string) vars {
	set := minimal()
	for line := range strings.SplitSeq(lines, "\n") {
		name, value, _ := strings.Cut(line, "=")
		set[name] = value
	}
	for word, name := range map[string]string{"secret": "LIVEKIT_SECRET", "as": "LIVEKIT_AS_TOKEN"} {
		if strings.Contains(secrets, word) {
			set[name] = secrets + marker
		}
	}
	if strings.Contains(secrets, "redis") {
		set["LIVEKIT_REDIS_URL"] = "redis://:" + secrets + marker + "@redis:6379/0"
		set["LIVEKIT_REDIS_PASSWORD"] = marker + secrets
	}
	return set
}

// markedKey reports whether marker, a part of every secret, is also in an API
// key. A damaged key file can cause this. An API key is not secret, so outputs
// may then show the marker.
func markedKey(c config.Config) bool {
	for _, key := range c.Keys {
		if strings.Contains(key.ID, marker) {
			return true
		}
	}
	return false
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// checkConfig checks the properties of a Config that other packages rely on.
func checkConfig(t *testing.T, c config.Config) {
	t.Helper()
	if c.LivekitURL == "" || c.APIURL == nil || c.APIURL.Host == "" || c.APIURL.User != nil || !strings.HasPrefix(c.APIURL.Scheme, "http") {
		t.Errorf("got the SFU at %q, %v, want URLs of http without a user", c.LivekitURL, c.APIURL)
	}
	for _, key := range c.Keys {
		if key.ID == "" || key.Secret.IsEmpty() {
			t.Errorf("got the key %q with an empty half, want both", key.ID)
		}
	}
	if len(c.Keys) == 0 || c.TokenTTL < time.Minute || c.OpenIDTimeout < time.Second || c.ShutdownDelay < 0 {
		t.Errorf("got %+v, want keys, and times in their ranges", c)
	}
	if c.MaxJobs < 1 || c.MaxJobsPerUser < 1 || c.ReconnectGrace < 0 || !(c.DelayedEventRate >= 0) || c.SanityCheckInterval < 0 {
		t.Errorf("got %+v, want numbers in their ranges", c)
	}
	checkStore(t, c.Store)
	if c.Listen.Network == "" || c.Listen.Address == "" || c.Listen == c.Metrics && !strings.HasSuffix(c.Listen.Address, ":0") {
		t.Errorf("got the listeners %+v and %+v, want two addresses", c.Listen, c.Metrics)
	}
	for _, u := range c.FederationURLs {
		if u == nil || u.Host == "" || strings.HasSuffix(u.Path, "/") {
			t.Errorf("got the override %v, want a host, and no slash at its end", u)
		}
	}
	for _, p := range append(c.TrustedProxies, c.AllowedNetworks...) {
		if !p.IsValid() || p != p.Masked() {
			t.Errorf("got the network %v, want a valid one", p)
		}
	}
	if as := c.AppService; as != nil && (as.ASToken.IsEmpty() || as.HSToken.IsEmpty() || as.Server.IsZero()) {
		t.Errorf("got the application service %+v, want both tokens and a server", as)
	}
}

func checkStore(t *testing.T, s config.Store) {
	t.Helper()
	isFile, isRedis := s.Kind == config.StoreFile, s.Kind == config.StoreRedis
	switch {
	case !isFile && !isRedis && s.Kind != config.StoreMemory:
		t.Errorf("got a store of the kind %q, want file, redis or memory", s.Kind)
	case isFile != filepath.IsAbs(s.Path):
		t.Errorf("got the store %v at %q, want an absolute path of a file alone", s, s.Path)
	case isRedis == s.RedisURL.IsZero(), isRedis != (s.RedisPrefix != ""), !isRedis && !s.RedisPassword.IsEmpty():
		t.Errorf("got the store %v, with a URL %t, prefix %q, want both of Redis alone", s, !s.RedisURL.IsZero(), s.RedisPrefix)
	}
}
