package config_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestValues sets variables besides the minimal ones and looks at what the
// configuration then says about one of them.
func TestValues(t *testing.T) {
	tests := []struct {
		name  string // of the variable looked at
		value string
		want  string
		more  vars
	}{
		{"LIVEKIT_URL", " wss://sfu.example.org/livekit/sfu/ \n", "wss://sfu.example.org/livekit/sfu/", nil},
		{"LIVEKIT_URL", "WSS://SFU.Example.org:443", "WSS://SFU.Example.org:443", nil},
		{"LIVEKIT_URL", "ws://[::1]:7880", "ws://[::1]:7880", nil},
		{"LIVEKIT_URL", "ws://live_kit:7880", "ws://live_kit:7880", nil},
		{"LIVEKIT_URL", "wss://sfü.example.org", "wss://sfü.example.org", nil},
		{"LIVEKIT_INTERNAL_URL", "", "https://sfu.example.org/livekit/sfu", vars{"LIVEKIT_URL": "wss://sfu.example.org/livekit/sfu/"}},
		{"LIVEKIT_INTERNAL_URL", "", "http://127.0.0.1:7880", vars{"LIVEKIT_URL": "ws://127.0.0.1:7880"}},
		{"LIVEKIT_INTERNAL_URL", "ws://livekit:7880/", "http://livekit:7880", nil},
		{"LIVEKIT_INTERNAL_URL", "http://livekit:7880/a%2Fb/", "http://livekit:7880/a%2Fb", nil},
		{"LIVEKIT_INTERNAL_URL", "https://10.0.0.5", "https://10.0.0.5", nil},

		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", "example.org,  b.org c.org:8448x\tb.org", "example.org,b.org", nil},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", "*", "*", nil},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", "", "old.org", vars{"LIVEKIT_LOCAL_HOMESERVERS": "old.org"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", "new.org", "new.org", vars{"LIVEKIT_LOCAL_HOMESERVERS": "old.org"}},
		{"LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS", "127.0.0.1:8448,[::1]", "127.0.0.1:8448,[::1]", nil},
		{"LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS", "https://example.org", "(nobody)", nil},
		{"LIVEKIT_CAN_UPDATE_OWN_METADATA", "True", "true", nil},
		{"LIVEKIT_CAN_UPDATE_OWN_METADATA", "0", "false", nil},
		{"LIVEKIT_TOKEN_TTL", "1m", "1m", nil},
		{"LIVEKIT_TOKEN_TTL", "24h", "24h", nil},
		{"LIVEKIT_TOKEN_TTL", "90m", "1h30m", nil},
		{"LIVEKIT_TOKEN_TTL", "1h0m5s", "1h0m5s", nil},
		{"LIVEKIT_OPENID_TIMEOUT", "1s", "1s", nil},
		{"LIVEKIT_OPENID_TIMEOUT", "20s", "20s", nil},
		{"LIVEKIT_SHUTDOWN_DELAY", "5m", "5m", nil},
		{"LIVEKIT_SHUTDOWN_DELAY", "0", "0s", nil},

		{"LIVEKIT_FEDERATION_URL_OVERRIDES", "b.org=https://b/ example.org=http://synapse:8008/x//", "b.org=https://b,example.org=http://synapse:8008/x", nil},
		{"LIVEKIT_CS_API_URL_OVERRIDES", "[::1]:8448=https://[::1]:8008,", "[::1]:8448=https://[::1]:8008", nil},
		{"LIVEKIT_ALLOWED_NETWORKS", "10.1.2.3/8 fd00::1,192.168.0.5", "10.0.0.0/8,fd00::1/128,192.168.0.5/32", nil},
		{"LIVEKIT_ALLOWED_NETWORKS", "::ffff:10.1.2.3/104,::ffff:127.0.0.1", "10.0.0.0/8,127.0.0.1/32", nil},
		{"LIVEKIT_TRUSTED_PROXIES", "172.18.0.1", "172.18.0.1/32", nil},
		{"LIVEKIT_TRUSTED_PROXIES", "None", "none", nil},
		{"LIVEKIT_CLIENT_ADDRESS", "", "x-forwarded-for", nil},
		{"LIVEKIT_CLIENT_ADDRESS", "X-Real-IP", "x-real-ip", nil},
		{"LIVEKIT_CLIENT_ADDRESS", "CF-Connecting-IP", "cf-connecting-ip", nil},
		{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS", "YES_I_KNOW_WHAT_I_AM_DOING", "YES_I_KNOW_WHAT_I_AM_DOING", nil},
		{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS", "true", "", nil},

		{"LIVEKIT_JWT_BIND", "127.0.0.1:9000", "127.0.0.1:9000", nil},
		{"LIVEKIT_JWT_BIND", "localhost:0", "localhost:0", nil},
		{"LIVEKIT_JWT_BIND", "[::1]:8080", "[::1]:8080", nil},
		{"LIVEKIT_JWT_BIND", "unix:/run/auth.sock", "unix:/run/auth.sock", nil},
		{"LIVEKIT_JWT_BIND", "unix:///run//auth.sock", "unix:/run/auth.sock", nil},
		{"LIVEKIT_JWT_BIND", "", ":9000", vars{"LIVEKIT_JWT_PORT": "9000"}},
		{"LIVEKIT_JWT_BIND", ":08080", ":8080", nil},
		{"LIVEKIT_JWT_BIND", "[::1]:00", "[::1]:0", nil},
		{"LIVEKIT_JWT_BIND", "", ":9000", vars{"LIVEKIT_JWT_PORT": "09000"}},
		{"LIVEKIT_JWT_BIND", "", ":9001", vars{"LK_JWT_PORT": "9001"}},
		{"LIVEKIT_JWT_BIND", "", ":9000", vars{"LIVEKIT_JWT_PORT": "9000", "LK_JWT_PORT": "9001"}},
		{"LIVEKIT_JWT_BIND", "", ":8080", vars{"LK_JWT_PORT": "tcp://10.96.0.7:8080"}},
		{"LIVEKIT_JWT_BIND", ":81", ":81", vars{"LIVEKIT_JWT_PORT": "tcp://10.96.0.7:8080"}},
		{"LIVEKIT_METRICS_BIND", "127.0.0.1:9090", "127.0.0.1:9090", nil},
		{"LIVEKIT_METRICS_BIND", ":9090", ":9090", nil},
		{"LIVEKIT_METRICS_BIND", "127.0.0.1:0", "127.0.0.1:0", vars{"LIVEKIT_JWT_BIND": "127.0.0.1:0"}},
		{"LIVEKIT_METRICS_BIND", "127.0.0.2:8080", "127.0.0.2:8080", vars{"LIVEKIT_JWT_BIND": "127.0.0.1:8080"}},
		{"LIVEKIT_RATE_LIMIT", "OFF", "off", nil},
		{"LIVEKIT_RATE_LIMIT", "10/min", "10/min,burst=30", nil},
		{"LIVEKIT_RATE_LIMIT", "600/min, burst=5", "600/min,burst=5", nil},
		{"LIVEKIT_TEST_PAGE", "Off", "off", nil},
		{"LIVEKIT_LOG_LEVEL", "WARNING", "warn", nil},
		{"LIVEKIT_LOG_LEVEL", "debug", "debug", nil},
		{"LIVEKIT_LOG_LEVEL", "error", "error", nil},
		{"LIVEKIT_LOG_LEVEL", "verbose", "info", nil},
		{"LIVEKIT_LOG_FORMAT", "JSON", "json", nil},
		{"LIVEKIT_LOG_FORMAT", "logfmt", "text", nil},
		{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS", "30", "30", nil},
		{"LIVEKIT_REDIS_URL", "redis://user:pa%2Fss@redis:6379/0?protocol=3", "redis://[redacted]@redis:6379/0?[redacted]", nil},
		{"LIVEKIT_REDIS_URL", "rediss://redis", "rediss://redis", nil},
		{"LIVEKIT_REDIS_URL", "unix:///run/redis.sock", "unix:///run/redis.sock", nil},
		{"LIVEKIT_REDIS_URL", "redis://[::1]:6379/3", "redis://[::1]:6379/3", nil},
		{"LIVEKIT_REDIS_URL", "redis://:p%40w@a?cluster=true&addr=b:6379&read_timeout=1s&addr=[::1]:6380", "redis://[redacted]@a?cluster=true&addr=b:6379&addr=[::1]:6380&[redacted]", nil},
		{"LIVEKIT_REDIS_URL", "redis://:p%40w@s1:26379/0?master_name=mymaster&addr=s2:26379&username=leave", "redis://[redacted]@s1:26379/0?master_name=mymaster&addr=s2:26379&[redacted]", nil},
		{"LIVEKIT_REDIS_PREFIX", "", "matrixrtc-auth", vars{"LIVEKIT_REDIS_URL": "redis://redis"}},
		{"LIVEKIT_REDIS_PREFIX", "calls:b/2", "calls:b/2", vars{"LIVEKIT_REDIS_URL": "redis://redis"}},
		{"LIVEKIT_REDIS_PASSWORD", "", "", nil},
		{"LIVEKIT_REDIS_PASSWORD", "pw", "[redacted]", vars{"LIVEKIT_REDIS_URL": "redis://redis"}},

		{"LIVEKIT_DELEGATION", "OFF", "off", nil},
		{"LIVEKIT_DELEGATION", "true", "on", nil},
		{"LIVEKIT_STORE", "", "redis", vars{"LIVEKIT_REDIS_URL": "redis://redis"}},
		{"LIVEKIT_STORE", "Redis", "redis", vars{"LIVEKIT_REDIS_URL": "redis://redis"}},
		{"LIVEKIT_STORE", "Memory", "memory", nil},
		{"LIVEKIT_STORE", "file:/var/lib/a b/leaves", "file:/var/lib/a b/leaves", nil},
		{"LIVEKIT_STORE", "file:///data/../x//leaves.db", "file:/x/leaves.db", nil},
		{"LIVEKIT_MAX_JOBS", "1", "1", nil},
		{"LIVEKIT_MAX_JOBS_PER_USER", "1000000", "1000000", nil},
		{"LIVEKIT_RECONNECT_GRACE", "0", "0s", nil},
		{"LIVEKIT_RECONNECT_GRACE", "1m", "1m", nil},
		{"LIVEKIT_DELAYED_EVENT_RATE", "10", "10/s", nil},
		{"LIVEKIT_DELAYED_EVENT_RATE", "0.5", "0.5/s", nil},
		{"LIVEKIT_DELAYED_EVENT_RATE", " 1e3 / s", "1000/s", nil},
		{"LIVEKIT_DELAYED_EVENT_RATE", "0.1", "0.1/s", nil},
		{"LIVEKIT_DELAYED_EVENT_RATE", "Off", "off", nil},
		{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS", "0", "0", nil},
		{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS", "86400", "86400", nil},
		{"LIVEKIT_HS_SERVER_NAME", "example.org", "example.org", vars{"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": goodSecret}},
		{"LIVEKIT_REQUIRE_MEMBERSHIP", "Local", "local", registered},
		{"LIVEKIT_REQUIRE_MEMBERSHIP", "ON", "on", registered},
		{"LIVEKIT_REQUIRE_MEMBERSHIP", "off", "off", nil},
		{"LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS", "0", "0", nil},
		{"LIVEKIT_MEMBERSHIP_UNKNOWN", "Allow", "allow", nil},
		{"LIVEKIT_MEMBERSHIP_BRAKE", "Off", "off", nil},
		{"LIVEKIT_CAN_UPDATE_OWN_METADATA", "true", "true", registered},
	}
	for _, test := range tests {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			set := minimal().with(test.more).with(vars{test.name: test.value})
			if _, changed := test.more["LIVEKIT_URL"]; changed {
				set["LIVEKIT_URL"] = test.more["LIVEKIT_URL"]
			}
			c, _, err := config.Parse(set.input(), disk{}.read)
			if err != nil {
				t.Fatal(err)
			}
			if got := printed(t, c)[test.name]; got != test.want {
				t.Errorf("%s = %q, want %q", test.name, got, test.want)
			}
		})
	}
}

// TestFaults sets variables besides the minimal ones: each case is one fault,
// of the first variable unless another is named, with the given words in it.
func TestFaults(t *testing.T) {
	files := disk{
		"/empty":   " \n",
		"/key":     "APIkey\n",
		"/secret":  goodSecret + "\n",
		"/swapped": "APIkey: " + goodSecret + "\n" + goodSecret + ": old\n" + goodSecret + "2: older\n",
		"/latin":   "APIk\xe9y",
		"/utf16":   "\xff\xfek\x00",
		"/nul":     "k\x00e\x00",
		"/nopem":   "nothing",
		"/badpem":  "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
		"/half":    "as_token: abc\n",
		"/token":   "syt_cnRj_abcdefghij\n",
		"/blank":   " \n",
		"/two":     "access_token: syt_cnRj_abcdefghij\n",
		"/nested":  "as_token: [a]\nhs_token: b",
		"/notyaml": "as_token: a: b",
	}
	tests := []struct {
		fault, words string
		set          vars
	}{
		{"LIVEKIT_URL", "missing", vars{"LIVEKIT_URL": ""}},
		{"LIVEKIT_URL", "does not start with wss://", vars{"LIVEKIT_URL": "sfu.example.org:443"}},
		{"LIVEKIT_URL", "does not start with wss://", vars{"LIVEKIT_URL": `"wss://sfu.example.org"`}},
		{"LIVEKIT_URL", "does not start with wss://", vars{"LIVEKIT_URL": "wss:sfu.example.org"}},
		{"LIVEKIT_URL", "does not start with wss://", vars{"LIVEKIT_URL": "wss://"}},
		{"LIVEKIT_URL", "no host", vars{"LIVEKIT_URL": "wss:///rtc"}},
		{"LIVEKIT_URL", "no host", vars{"LIVEKIT_URL": "wss://:7880"}},
		{"LIVEKIT_URL", "placeholder", vars{"LIVEKIT_URL": "wss://sfu.<domain>"}},
		{"LIVEKIT_URL", "placeholder", vars{"LIVEKIT_URL": "wss://sfu.$DOMAIN"}},
		{"LIVEKIT_URL", "is not a URL", vars{"LIVEKIT_URL": "wss://sfu.{{domain}}:x"}},
		{"LIVEKIT_URL", "port", vars{"LIVEKIT_URL": "wss://sfu.example.org:65536"}},
		{"LIVEKIT_URL", "space", vars{"LIVEKIT_URL": "wss://sfu.example.org/a b"}},
		{"LIVEKIT_URL", "space", vars{"LIVEKIT_URL": "wss://sfu.example.org\x01"}},
		{"LIVEKIT_URL", "cannot be seen", vars{"LIVEKIT_URL": "wss://sfu\u200b.example.org"}},
		{"LIVEKIT_URL", "cannot be seen", vars{"LIVEKIT_URL": "wss://sfu\xff.example.org"}},
		{"LIVEKIT_URL", "user name or password", vars{"LIVEKIT_URL": "wss://user@sfu.example.org"}},
		{"LIVEKIT_URL", "query", vars{"LIVEKIT_URL": "wss://sfu.example.org?x=1"}},
		{"LIVEKIT_INTERNAL_URL", "does not start with", vars{"LIVEKIT_INTERNAL_URL": "livekit:7880"}},

		{"LIVEKIT_KEY", "LIVEKIT_KEY_FROM_FILE and LIVEKIT_SECRET_FROM_FILE, or LIVEKIT_KEY_FILE", vars{"LIVEKIT_KEY": "", "LIVEKIT_SECRET": ""}},
		{"LIVEKIT_KEY", "only a secret", vars{"LIVEKIT_KEY": ""}},
		{"LIVEKIT_SECRET", "only a key", vars{"LIVEKIT_SECRET": ""}},
		{"LIVEKIT_KEY", "exchange it with LIVEKIT_SECRET", vars{"LIVEKIT_KEY": goodSecret, "LIVEKIT_SECRET": "devkey"}},
		{"LIVEKIT_KEY", "exchange it with LIVEKIT_SECRET_FROM_FILE", vars{"LIVEKIT_KEY": goodSecret, "LIVEKIT_SECRET_FROM_FILE": "/key"}},
		{"LIVEKIT_KEY_FROM_FILE", "exchange it with LIVEKIT_SECRET_FROM_FILE", vars{"LIVEKIT_KEY_FROM_FILE": "/secret", "LIVEKIT_SECRET_FROM_FILE": "/key"}},
		{"LIVEKIT_KEY_FILE", "the two are swapped", vars{"LIVEKIT_KEY_FILE": "/swapped"}},
		{"LIVEKIT_KEY", "not UTF-8", vars{"LIVEKIT_KEY": "k\xff"}},
		{"LIVEKIT_KEY_FROM_FILE", "file does not exist", vars{"LIVEKIT_KEY_FROM_FILE": "/absent"}},
		{"LIVEKIT_SECRET_FROM_FILE", "empty; it must hold the secret", vars{"LIVEKIT_SECRET_FROM_FILE": "/empty"}},
		{"LIVEKIT_KEY_FROM_FILE", "UTF-8", vars{"LIVEKIT_KEY_FROM_FILE": "/latin"}},
		{"LIVEKIT_KEY_FROM_FILE", "UTF-8", vars{"LIVEKIT_KEY_FROM_FILE": "/utf16"}},
		{"LIVEKIT_KEY_FILE", "UTF-8", vars{"LIVEKIT_KEY_FILE": "/nul"}},
		{"LIVEKIT_KEY_FILE", "file does not exist", vars{"LIVEKIT_KEY_FILE": "/absent"}},

		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", "missing", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": ""}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", "lists nothing", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": ", ,"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", "stands alone", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "example.org,*"}},
		{"LIVEKIT_LOCAL_HOMESERVERS", "stands alone", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "", "LIVEKIT_LOCAL_HOMESERVERS": "* a.org"}},
		{"LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS", "stands alone", vars{"LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS": "*,*"}},
		{"LIVEKIT_CAN_UPDATE_OWN_METADATA", "neither true nor false", vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "maybe"}},
		{"LIVEKIT_TOKEN_TTL", "from 1m to 24h", vars{"LIVEKIT_TOKEN_TTL": "59s"}},
		{"LIVEKIT_TOKEN_TTL", "from 1m to 24h", vars{"LIVEKIT_TOKEN_TTL": "24h1ns"}},
		{"LIVEKIT_TOKEN_TTL", "from 1m to 24h", vars{"LIVEKIT_TOKEN_TTL": "3600"}},
		{"LIVEKIT_OPENID_TIMEOUT", "from 1s to 20s; write one like 5s, 10s", vars{"LIVEKIT_OPENID_TIMEOUT": "21s"}},
		{"LIVEKIT_OPENID_TIMEOUT", "from 1s to 20s", vars{"LIVEKIT_OPENID_TIMEOUT": "999ms"}},
		{"LIVEKIT_SHUTDOWN_DELAY", "from 0s to 5m", vars{"LIVEKIT_SHUTDOWN_DELAY": "-1s"}},
		{"LIVEKIT_SHUTDOWN_DELAY", "from 0s to 5m", vars{"LIVEKIT_SHUTDOWN_DELAY": "301s"}},

		{"LIVEKIT_FEDERATION_URL_OVERRIDES", "has no '='", vars{"LIVEKIT_FEDERATION_URL_OVERRIDES": "example.org:http://synapse"}},
		{"LIVEKIT_FEDERATION_URL_OVERRIDES", "does not start with https://", vars{"LIVEKIT_FEDERATION_URL_OVERRIDES": "example.org=synapse:8008"}},
		{"LIVEKIT_FEDERATION_URL_OVERRIDES", "does not start with https://", vars{"LIVEKIT_FEDERATION_URL_OVERRIDES": "example.org=wss://synapse"}},
		{"LIVEKIT_FEDERATION_URL_OVERRIDES", "twice", vars{"LIVEKIT_FEDERATION_URL_OVERRIDES": "example.org=http://a example.org=http://b"}},
		{"LIVEKIT_FEDERATION_URL_OVERRIDES", "has no place in it", vars{"LIVEKIT_FEDERATION_URL_OVERRIDES": "example.org=https://admin:a,b@x"}},
		{"LIVEKIT_CS_API_URL_OVERRIDES", "cannot be a server name", vars{"LIVEKIT_CS_API_URL_OVERRIDES": "https://example.org=https://a"}},
		{"LIVEKIT_CS_API_URL_OVERRIDES", "no host", vars{"LIVEKIT_CS_API_URL_OVERRIDES": "example.org=https:///"}},
		{"LIVEKIT_ALLOWED_NETWORKS", "neither a network", vars{"LIVEKIT_ALLOWED_NETWORKS": "10.0.0.0/8,10.0.0"}},
		{"LIVEKIT_ALLOWED_NETWORKS", "neither a network", vars{"LIVEKIT_ALLOWED_NETWORKS": "fe80::1%eth0"}},
		{"LIVEKIT_ALLOWED_NETWORKS", "neither a network", vars{"LIVEKIT_ALLOWED_NETWORKS": "none"}},
		{"LIVEKIT_TRUSTED_PROXIES", "neither a network", vars{"LIVEKIT_TRUSTED_PROXIES": "proxy.example.org"}},
		{"LIVEKIT_CLIENT_ADDRESS", "is no name of a header", vars{"LIVEKIT_CLIENT_ADDRESS": "X-Real-IP:"}},
		{"LIVEKIT_CLIENT_ADDRESS", "is no name of a header", vars{"LIVEKIT_CLIENT_ADDRESS": "x-real-ip, x-forwarded-for"}},
		{"LIVEKIT_CLIENT_ADDRESS", "is no name of a header", vars{"LIVEKIT_CLIENT_ADDRESS": "x-réal-ip"}},
		{"LIVEKIT_CLIENT_ADDRESS", "is no name of a header", vars{"LIVEKIT_CLIENT_ADDRESS": strings.Repeat("x", 65)}},
		{"LIVEKIT_CLIENT_ADDRESS", "holds more than an address", vars{"LIVEKIT_CLIENT_ADDRESS": "Forwarded"}},
		{"LIVEKIT_CLIENT_ADDRESS", "clients choose the header Host", vars{"LIVEKIT_CLIENT_ADDRESS": "Host"}},
		{"LIVEKIT_CA_FILE", "cannot be read", vars{"LIVEKIT_CA_FILE": "/absent"}},
		{"LIVEKIT_CA_FILE", "no certificate", vars{"LIVEKIT_CA_FILE": "/nopem"}},
		{"LIVEKIT_CA_FILE", "number 1", vars{"LIVEKIT_CA_FILE": "/badpem"}},

		{"LIVEKIT_JWT_BIND", "together with LIVEKIT_JWT_PORT", vars{"LIVEKIT_JWT_BIND": ":8080", "LIVEKIT_JWT_PORT": "8080"}},
		{"LIVEKIT_JWT_BIND", "together with LK_JWT_PORT", vars{"LIVEKIT_JWT_BIND": ":8080", "LK_JWT_PORT": "8080"}},
		{"LIVEKIT_JWT_BIND", "not an address", vars{"LIVEKIT_JWT_BIND": "8080"}},
		{"LIVEKIT_JWT_BIND", "not an address", vars{"LIVEKIT_JWT_BIND": ":http"}},
		{"LIVEKIT_JWT_BIND", "not an address", vars{"LIVEKIT_JWT_BIND": "*:8080"}},
		{"LIVEKIT_JWT_BIND", "not an address", vars{"LIVEKIT_JWT_BIND": "::1:8080"}},
		{"LIVEKIT_JWT_BIND", "not an address", vars{"LIVEKIT_JWT_BIND": "http://127.0.0.1:8080"}},
		{"LIVEKIT_JWT_BIND", "not an address", vars{"LIVEKIT_JWT_BIND": "unix:auth.sock"}},
		{"LIVEKIT_JWT_BIND", "not an address", vars{"LIVEKIT_JWT_BIND": "unix:"}},
		{"LIVEKIT_JWT_BIND", "not an address", vars{"LIVEKIT_JWT_BIND": "unix:/" + strings.Repeat("x", 107)}},
		{"LIVEKIT_JWT_PORT", "not a port", vars{"LIVEKIT_JWT_PORT": "127.0.0.1:8080"}},
		{"LK_JWT_PORT", "not a port", vars{"LK_JWT_PORT": "0"}},
		{"LIVEKIT_METRICS_BIND", "not an address", vars{"LIVEKIT_METRICS_BIND": "yes"}},
		{"LIVEKIT_METRICS_BIND", "same address", vars{"LIVEKIT_METRICS_BIND": ":8080"}},
		{"LIVEKIT_METRICS_BIND", "same address", vars{"LIVEKIT_METRICS_BIND": "127.0.0.1:8080"}},
		{"LIVEKIT_METRICS_BIND", "same address", vars{"LIVEKIT_METRICS_BIND": ":08080"}},
		{"LIVEKIT_METRICS_BIND", "same address", vars{"LIVEKIT_METRICS_BIND": "[::]:81", "LIVEKIT_JWT_BIND": "127.0.0.1:81"}},
		{"LIVEKIT_METRICS_BIND", "same address", vars{"LIVEKIT_METRICS_BIND": "unix:/a//b", "LIVEKIT_JWT_BIND": "unix:/a/b"}},
		{"LIVEKIT_RATE_LIMIT", "no rate limit", vars{"LIVEKIT_RATE_LIMIT": "60"}},
		{"LIVEKIT_RATE_LIMIT", "no rate limit", vars{"LIVEKIT_RATE_LIMIT": "0/min"}},
		{"LIVEKIT_RATE_LIMIT", "no rate limit", vars{"LIVEKIT_RATE_LIMIT": "60/s"}},
		{"LIVEKIT_RATE_LIMIT", "no rate limit", vars{"LIVEKIT_RATE_LIMIT": "60/min,30"}},
		{"LIVEKIT_RATE_LIMIT", "no rate limit", vars{"LIVEKIT_RATE_LIMIT": "60/min,burst=0"}},
		{"LIVEKIT_RATE_LIMIT", "no rate limit", vars{"LIVEKIT_RATE_LIMIT": "60,burst=30"}},
		{"LIVEKIT_RATE_LIMIT", "no rate limit", vars{"LIVEKIT_RATE_LIMIT": "1000001/min"}},

		{"LIVEKIT_HS_SERVER_NAME", "missing", vars{"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": goodSecret}},
		{"LIVEKIT_HS_SERVER_NAME", "cannot be a server name", vars{"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": goodSecret, "LIVEKIT_HS_SERVER_NAME": "https://a"}},
		{"LIVEKIT_HS_TOKEN", "missing", vars{"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_AS_TOKEN", "missing", vars{"LIVEKIT_HS_TOKEN": goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_AS_REGISTRATION_FILE", "cannot be read", vars{"LIVEKIT_AS_REGISTRATION_FILE": "/absent", "LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_AS_REGISTRATION_FILE", "lacks as_token or hs_token", vars{"LIVEKIT_AS_REGISTRATION_FILE": "/half", "LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_AS_REGISTRATION_FILE", "YAML", vars{"LIVEKIT_AS_REGISTRATION_FILE": "/nested", "LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_AS_REGISTRATION_FILE", "YAML", vars{"LIVEKIT_AS_REGISTRATION_FILE": "/notyaml", "LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_REQUIRE_MEMBERSHIP", "none of off, local and on", vars{"LIVEKIT_REQUIRE_MEMBERSHIP": "yes"}},
		{"LIVEKIT_REQUIRE_MEMBERSHIP", "needs a homeserver", vars{"LIVEKIT_REQUIRE_MEMBERSHIP": "local"}},
		{"LIVEKIT_REQUIRE_MEMBERSHIP", "needs a homeserver", vars{"LIVEKIT_REQUIRE_MEMBERSHIP": "on"}},
		{"LIVEKIT_REQUIRE_MEMBERSHIP", "LIVEKIT_MEMBERSHIP_TOKEN_FILE and LIVEKIT_HS_SERVER_NAME", vars{"LIVEKIT_REQUIRE_MEMBERSHIP": "on"}},
		{"LIVEKIT_AS_REGISTRATION_FILE", "or an account's LIVEKIT_MEMBERSHIP_TOKEN_FILE", vars{"LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_HS_SERVER_NAME", "missing: the account of LIVEKIT_MEMBERSHIP_TOKEN_FILE needs", vars{"LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/token"}},
		{"LIVEKIT_HS_SERVER_NAME", "cannot be a server name", vars{"LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/token", "LIVEKIT_HS_SERVER_NAME": "https://a"}},
		{"LIVEKIT_MEMBERSHIP_TOKEN_FILE", "cannot be read", vars{"LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/absent", "LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_MEMBERSHIP_TOKEN_FILE", "is empty", vars{"LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/blank", "LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_MEMBERSHIP_TOKEN_FILE", "holds more than an access token", vars{"LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/two", "LIVEKIT_HS_SERVER_NAME": "example.org"}},
		{"LIVEKIT_MEMBERSHIP_UNKNOWN", "neither deny nor allow", vars{"LIVEKIT_MEMBERSHIP_UNKNOWN": "maybe"}},
		{"LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS", "from 0 to 86400", vars{"LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS": "30s"}},
		{"LIVEKIT_TEST_PAGE", "neither on nor off", vars{"LIVEKIT_TEST_PAGE": "maybe"}},
		{"LIVEKIT_MEMBERSHIP_BRAKE", "neither on nor off", vars{"LIVEKIT_MEMBERSHIP_BRAKE": "maybe"}},
		{"LIVEKIT_CAN_UPDATE_OWN_METADATA", "take away the ticket", registered.with(vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true", "LIVEKIT_REQUIRE_MEMBERSHIP": "local"})},
		{"LIVEKIT_CAN_UPDATE_OWN_METADATA", "take away the ticket", vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true", "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS": "30"}},
		{"LIVEKIT_CAN_UPDATE_OWN_METADATA", "take away the ticket", vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true", "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS": "10"}},
		{"LIVEKIT_CAN_UPDATE_OWN_METADATA", "take away the ticket", registered.with(vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true", "LIVEKIT_REQUIRE_MEMBERSHIP": "ON"})},
		{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS", "from 0 to 86400", vars{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "30s"}},
		{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS", "from 0 to 86400", vars{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "-1"}},
		{"LIVEKIT_REDIS_URL", "not the URL of a Redis server", vars{"LIVEKIT_REDIS_URL": "redis:6379"}},
		{"LIVEKIT_REDIS_URL", "not the URL of a Redis server", vars{"LIVEKIT_REDIS_URL": "redis://:pw@host:port/0"}},
		{"LIVEKIT_REDIS_URL", "not the URL of a Redis server", vars{"LIVEKIT_REDIS_URL": "redis://user:12/34@host:6379/0"}},
		{"LIVEKIT_REDIS_URL", "not the URL of a Redis server", vars{"LIVEKIT_REDIS_URL": "redis://user:12?34@host:6379/0"}},
		{"LIVEKIT_REDIS_URL", "not the URL of a Redis server", vars{"LIVEKIT_REDIS_URL": "redis://user:12#34@host:6379/0"}},
		{"LIVEKIT_REDIS_URL", "a path that is not the number of a database", vars{"LIVEKIT_REDIS_URL": "redis://host/zero"}},
		{"LIVEKIT_REDIS_URL", "begins with none of redis://, rediss:// and unix://", vars{"LIVEKIT_REDIS_URL": "http://host"}},
		{"LIVEKIT_REDIS_URL", "a parameter, or the value of one, that is not understood", vars{"LIVEKIT_REDIS_URL": "redis://host?unknown=1"}},
		{"LIVEKIT_REDIS_URL", "a cluster in a way that is none", vars{"LIVEKIT_REDIS_URL": "redis://host/1?cluster=true"}},
		{"LIVEKIT_REDIS_URL", "redis://host:6379?cluster=true&addr=host2:6379 for a cluster", vars{"LIVEKIT_REDIS_URL": "redis://host?addr=host2:6379"}},
		{"LIVEKIT_REDIS_URL", "has a master_name that no Sentinel can know", vars{"LIVEKIT_REDIS_URL": "redis://host:26379?master_name="}},
		{"LIVEKIT_REDIS_URL", "missing: LIVEKIT_STORE is redis", vars{"LIVEKIT_STORE": "redis"}},
		{"LIVEKIT_REDIS_PASSWORD_FROM_FILE", "empty; it must hold the password of Redis", vars{"LIVEKIT_REDIS_URL": "redis://host", "LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/empty"}},
		{"LIVEKIT_REDIS_PREFIX", "without spaces and braces", vars{"LIVEKIT_REDIS_URL": "redis://host", "LIVEKIT_REDIS_PREFIX": "a{b}"}},
		{"LIVEKIT_REDIS_PREFIX", "without spaces and braces", vars{"LIVEKIT_REDIS_URL": "redis://host", "LIVEKIT_REDIS_PREFIX": "a b"}},
		{"LIVEKIT_REDIS_PREFIX", "of ASCII", vars{"LIVEKIT_REDIS_URL": "redis://host", "LIVEKIT_REDIS_PREFIX": "ä"}},
		{"LIVEKIT_REDIS_PREFIX", "at most 64", vars{"LIVEKIT_REDIS_URL": "redis://host", "LIVEKIT_REDIS_PREFIX": strings.Repeat("x", 65)}},
		{"LIVEKIT_STORE", "memory, but LIVEKIT_REDIS_URL is set", vars{"LIVEKIT_STORE": "memory", "LIVEKIT_REDIS_URL": "redis://host"}},
		{"LIVEKIT_STORE", "file, but LIVEKIT_REDIS_URL is set", vars{"LIVEKIT_STORE": "file:/x", "LIVEKIT_REDIS_URL": "redis://host"}},
		{"LIVEKIT_STORE", "belongs in LIVEKIT_REDIS_URL", vars{"LIVEKIT_STORE": "redis://host"}},
		{"LIVEKIT_STORE", "neither memory nor file:/path nor redis", vars{"LIVEKIT_STORE": "/data/leaves.db"}},
		{"LIVEKIT_STORE", "absolute path", vars{"LIVEKIT_STORE": "file:leaves.db"}},
		{"LIVEKIT_STORE", "absolute path", vars{"LIVEKIT_STORE": "file:"}},
		{"LIVEKIT_STORE", "absolute path", vars{"LIVEKIT_STORE": "file:/a\x00b"}},
		{"LIVEKIT_STORE", "at most 200", vars{"LIVEKIT_STORE": "file:/" + strings.Repeat("x", 200)}},
		{"LIVEKIT_STORE", "a directory; write the file's name, too, like file:/data/leaves.db", vars{"LIVEKIT_STORE": "file:/data"}},
		{"LIVEKIT_STORE", "a directory", vars{"LIVEKIT_STORE": "file:/var/"}},
		{"LIVEKIT_STORE", "absolute path", vars{"LIVEKIT_STORE": "file:x", "LIVEKIT_DELEGATION": "off"}},
		{"LIVEKIT_DELEGATION", "neither on nor off", vars{"LIVEKIT_DELEGATION": "maybe"}},
		{"LIVEKIT_MAX_JOBS", "from 1 to 1000000", vars{"LIVEKIT_MAX_JOBS": "0"}},
		{"LIVEKIT_MAX_JOBS", "LIVEKIT_DELEGATION=off", vars{"LIVEKIT_MAX_JOBS": "-1"}},
		{"LIVEKIT_MAX_JOBS", "without commas", vars{"LIVEKIT_MAX_JOBS": "200,000"}},
		{"LIVEKIT_MAX_JOBS_PER_USER", "from 1 to 1000000", vars{"LIVEKIT_MAX_JOBS_PER_USER": "1000001"}},
		{"LIVEKIT_RECONNECT_GRACE", "from 0s to 1m", vars{"LIVEKIT_RECONNECT_GRACE": "61s"}},
		{"LIVEKIT_RECONNECT_GRACE", "from 0s to 1m", vars{"LIVEKIT_RECONNECT_GRACE": "15"}},
		{"LIVEKIT_DELAYED_EVENT_RATE", "or off for no bound", vars{"LIVEKIT_DELAYED_EVENT_RATE": "0"}},
		{"LIVEKIT_DELAYED_EVENT_RATE", "or off for no bound", vars{"LIVEKIT_DELAYED_EVENT_RATE": "-1/s"}},
		{"LIVEKIT_DELAYED_EVENT_RATE", "from 0.1 to 10000", vars{"LIVEKIT_DELAYED_EVENT_RATE": "0.09"}},
		{"LIVEKIT_DELAYED_EVENT_RATE", "from 0.1 to 10000", vars{"LIVEKIT_DELAYED_EVENT_RATE": "10001"}},
		{"LIVEKIT_DELAYED_EVENT_RATE", "like 10 or 0.5/s", vars{"LIVEKIT_DELAYED_EVENT_RATE": "NaN"}},
		{"LIVEKIT_DELAYED_EVENT_RATE", "like 10 or 0.5/s", vars{"LIVEKIT_DELAYED_EVENT_RATE": "Inf"}},
		{"LIVEKIT_DELAYED_EVENT_RATE", "like 10 or 0.5/s", vars{"LIVEKIT_DELAYED_EVENT_RATE": "600/min"}},
	}
	for _, test := range tests {
		t.Run(test.fault+" "+test.set[test.fault], func(t *testing.T) {
			_, _, err := config.Parse(minimal().with(test.set).input(), files.read)
			list := faults(t, err)
			if len(list) != 1 || list[0].Variable != test.fault || !strings.Contains(list[0].Problem, test.words) {
				t.Errorf("got %v, want one fault of %s with %q", err, test.fault, test.words)
			}
		})
	}
}

// TestWarnings sets variables besides the minimal ones: the program starts and
// says exactly one thing.
func TestWarnings(t *testing.T) {
	tests := []struct {
		of    string
		kind  config.Kind
		words string
		set   vars
	}{
		{"LIVEKIT_URL", config.WrongScheme, "write wss://sfu.example.org", vars{"LIVEKIT_URL": "https://sfu.example.org"}},
		{"LIVEKIT_URL", config.WrongScheme, "write ws://127.0.0.1:7880", vars{"LIVEKIT_URL": "http://127.0.0.1:7880"}},
		{"LIVEKIT_URL", config.WrongScheme, "write wss://h.example.org/livekit%2Fsfu", vars{"LIVEKIT_URL": "https://h.example.org/livekit%2Fsfu"}},
		{"LIVEKIT_URL", config.FormerService, "Element's authorization service", vars{"LIVEKIT_URL": "wss://livekit-jwt.call.matrix.org"}},
		{"LIVEKIT_INTERNAL_URL", config.FormerService, "Element's authorization service", vars{"LIVEKIT_INTERNAL_URL": "https://LiveKit-JWT.call.matrix.org/x"}},
		{"LIVEKIT_SECRET", config.WeakSecret, "fewer than 32", vars{"LIVEKIT_SECRET": goodSecret[1:]}},
		{"LIVEKIT_SECRET", config.OddKey, "white space inside", vars{"LIVEKIT_SECRET": goodSecret + " x"}},
		{"LIVEKIT_SECRET", config.OddKey, "white space inside", vars{"LIVEKIT_SECRET": goodSecret + "\x00x"}},
		{"LIVEKIT_SECRET", config.WeakSecret, "demo values", vars{"LIVEKIT_KEY": "devkey", "LIVEKIT_SECRET": "secret"}},
		{"LIVEKIT_SECRET", config.Quoted, "quotation marks", vars{"LIVEKIT_SECRET": `"` + goodSecret + `"`}},
		{"LIVEKIT_KEY", config.OddKey, "white space inside", vars{"LIVEKIT_KEY": "a b"}},
		{"LIVEKIT_KEY", config.Ignored, "LIVEKIT_KEY_FROM_FILE is set", vars{"LIVEKIT_KEY_FROM_FILE": "/key"}},
		{"LIVEKIT_SECRET", config.Ignored, "LIVEKIT_SECRET_FROM_FILE is set", vars{"LIVEKIT_SECRET_FROM_FILE": "/secret"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.Everyone, "every homeserver", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "*"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.NotServerName, `"https://matrix.example.org" cannot be a server name`, vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "example.org https://matrix.example.org"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.NotServerName, `"@alice:example.org" cannot be`, vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "@alice:example.org,example.org"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.OddServerName, `"synapse:8008" may not be what you mean (it has a port`, vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "synapse:8008"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.OddServerName, "it has a port", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "matrix.example.org:8448"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.OddServerName, "no dot", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "synapse"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.OddServerName, "capital letters", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "Example.org"}},
		{"LIVEKIT_LOCAL_HOMESERVERS", config.Ignored, "LIVEKIT_FULL_ACCESS_HOMESERVERS is set", vars{"LIVEKIT_LOCAL_HOMESERVERS": "example.org"}},
		{"LIVEKIT_CS_API_URL_OVERRIDES", config.OddServerName, "capital letters", vars{"LIVEKIT_CS_API_URL_OVERRIDES": "Example.org=https://a"}},
		{"LIVEKIT_ALLOWED_NETWORKS", config.Everyone, "every address", vars{"LIVEKIT_ALLOWED_NETWORKS": "0.0.0.0/0"}},
		{"LIVEKIT_TRUSTED_PROXIES", config.Everyone, "every address", vars{"LIVEKIT_TRUSTED_PROXIES": "::/0"}},
		{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS", config.Unverified, "not checked", vars{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS": "YES_I_KNOW_WHAT_I_AM_DOING"}},
		{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS", config.UnknownValue, "ignored", vars{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS": "yes_i_know_what_i_am_doing"}},
		{"LK_JWT_PORT", config.Ignored, "LIVEKIT_JWT_PORT is set", vars{"LIVEKIT_JWT_PORT": "80", "LK_JWT_PORT": "81"}},
		{"LK_JWT_PORT", config.ServiceLink, "Kubernetes Service of that name; enableServiceLinks: false", vars{"LK_JWT_PORT": "tcp://10.96.0.7:8080"}},
		{"LIVEKIT_LOG_LEVEL", config.UnknownValue, "so it is info", vars{"LIVEKIT_LOG_LEVEL": "loud\n2026"}},
		{"LIVEKIT_LOG_FORMAT", config.UnknownValue, "so it is text", vars{"LIVEKIT_LOG_FORMAT": "xml"}},
		{"LIVEKIT_REDIS_PASSWORD", config.Ignored, "LIVEKIT_REDIS_URL is not set", vars{"LIVEKIT_REDIS_PASSWORD": "pw"}},
		{"LIVEKIT_REDIS_PREFIX", config.Ignored, "LIVEKIT_REDIS_URL is not set", vars{"LIVEKIT_REDIS_PREFIX": "a", "LIVEKIT_STORE": "memory"}},
		{"LIVEKIT_REDIS_PASSWORD_FROM_FILE", config.Ignored, "LIVEKIT_REDIS_URL is not set", vars{"LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/key", "LIVEKIT_STORE": "file:/x"}},
		{"LIVEKIT_REDIS_PASSWORD", config.Ignored, "LIVEKIT_REDIS_PASSWORD_FROM_FILE is set", vars{"LIVEKIT_REDIS_URL": "redis://r", "LIVEKIT_REDIS_PASSWORD": "a", "LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/key"}},
		{"LIVEKIT_REDIS_URL", config.Unverified, "the certificate of Redis is not checked", vars{"LIVEKIT_REDIS_URL": "rediss://r?skip_verify=true"}},
	}
	files := disk{"/key": "\ufeffAPIkey\r\n", "/secret": goodSecret + "\n"}
	for _, test := range tests {
		t.Run(test.of+" "+test.set[test.of], func(t *testing.T) {
			_, warnings, err := config.Parse(minimal().with(test.set).input(), files.read)
			if err != nil {
				t.Fatal(err)
			}
			if len(warnings) != 1 || warnings[0].Variable != test.of || warnings[0].Kind != test.kind || !strings.Contains(warnings[0].Text, test.words) {
				t.Errorf("got %q, want one warning of %s, %s, with %q", warnings, test.of, test.kind, test.words)
			}
		})
	}
}

// TestSeveralWarnings holds the cases in which more than one thing is odd.
func TestSeveralWarnings(t *testing.T) {
	tests := []struct {
		set   vars
		files disk
		want  []string
	}{
		{
			vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "https://example.org"}, nil,
			[]string{"cannot be a server name", "matches nobody"},
		}, {
			vars{"LIVEKIT_KEY_FILE": "/keys"}, disk{"/keys": "a: short\nb: short2"},
			[]string{"LIVEKIT_KEY: ignored", "LIVEKIT_SECRET: ignored", "LIVEKIT_KEY_FILE: the secret has fewer"},
		}, {
			vars{"LIVEKIT_REDIS_URL": "redis://:a@s:1?master_name=m&password=c", "LIVEKIT_REDIS_PASSWORD": "b"}, nil,
			[]string{"LIVEKIT_REDIS_URL: its password is ignored, because LIVEKIT_REDIS_PASSWORD is"},
		},
		{
			vars{"LIVEKIT_REDIS_URL": "redis://:a@s:1?master_name=m", "LIVEKIT_REDIS_PASSWORD": "b"}, nil, nil, // the Sentinels', and Redis'
		},
		{
			vars{"LIVEKIT_REDIS_URL": "redis://:a@redis", "LIVEKIT_REDIS_PASSWORD": "b"}, nil,
			[]string{"LIVEKIT_REDIS_URL: its password is ignored, because LIVEKIT_REDIS_PASSWORD is"},
		}, {
			vars{"LIVEKIT_REDIS_URL": "redis://:a@redis", "LIVEKIT_REDIS_PASSWORD": "b", "LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/pw"}, disk{"/pw": "c"},
			[]string{"LIVEKIT_REDIS_PASSWORD: ignored", "LIVEKIT_REDIS_URL: its password is ignored, because LIVEKIT_REDIS_PASSWORD_FROM_FILE is"},
		}, {
			vars{"LIVEKIT_AS_REGISTRATION_FILE": "/as.yaml", "LIVEKIT_AS_TOKEN": "x", "LIVEKIT_HS_SERVER_NAME": "synapse"},
			disk{"/as.yaml": registration("synapse", "as_token: a", "url: null", "exclusive: true")},
			[]string{"no dot", "LIVEKIT_AS_TOKEN: ignored", "as_token: it has 1 characters", "namespaces.users: exclusive"},
		}, {
			vars{"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"}, nil,
			[]string{"LIVEKIT_HS_TOKEN: equals LIVEKIT_AS_TOKEN"},
		}, {
			registered.with(vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true", "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS": "0"}), nil,
			[]string{"LIVEKIT_CAN_UPDATE_OWN_METADATA: participants can take away the ticket"},
		}, {
			vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true"}, nil,
			[]string{"LIVEKIT_CAN_UPDATE_OWN_METADATA: participants can take away the ticket"},
		}, {
			vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true", "LIVEKIT_REQUIRE_MEMBERSHIP": "Off", "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS": "00"}, nil,
			[]string{"LIVEKIT_CAN_UPDATE_OWN_METADATA: participants can take away the ticket"},
		},
	}
	for _, test := range tests {
		_, warnings, err := config.Parse(minimal().with(test.set).input(), test.files.read)
		if err != nil || len(warnings) != len(test.want) {
			t.Errorf("%v: got %q, %v, want %d warnings", test.set, warnings, err, len(test.want))
			continue
		}
		for i, want := range test.want {
			if !strings.Contains(warnings[i].String(), want) {
				t.Errorf("%v: warning %q, want %q in it", test.set, warnings[i], want)
			}
		}
	}
}

// TestNamespacesNeedAServer: a file is not judged by a server name that is missing
// or none.
func TestNamespacesNeedAServer(t *testing.T) {
	for _, name := range []string{"", "@a:b"} {
		set := vars{"LIVEKIT_AS_REGISTRATION_FILE": "/as.yaml", "LIVEKIT_HS_SERVER_NAME": name}
		_, warnings, err := config.Parse(minimal().with(set).input(), disk{"/as.yaml": registration("example.org")}.read)
		if err == nil || len(warnings) > 0 {
			t.Errorf("name %q: got %v and warnings %q, want a fault and no warning", name, err, warnings)
		}
	}
}

// TestAccount: the server name and the token file alone are a valid configuration,
// and an application service needs no account.
func TestAccount(t *testing.T) {
	const token = "syt_cnRj_abcdefghij"
	account := vars{"LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/token", "LIVEKIT_HS_SERVER_NAME": "example.com"}
	for _, tt := range []struct {
		name    string
		set     vars
		want    string // the server, "" for no account
		unseen  bool
		warning string
	}{
		{"alone", account, "example.com", false, ""},
		{"required", account.with(vars{"LIVEKIT_REQUIRE_MEMBERSHIP": "on", "LIVEKIT_MEMBERSHIP_UNKNOWN": "allow"}), "example.com", true, ""},
		{"beside an application service", account.with(registered), "", false, "LIVEKIT_MEMBERSHIP_TOKEN_FILE: ignored"},
		{"none", vars{}, "", false, ""},
		{"allowed for nobody", vars{"LIVEKIT_MEMBERSHIP_UNKNOWN": "allow"}, "", true, "LIVEKIT_MEMBERSHIP_UNKNOWN: ignored"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, warnings, err := config.Parse(minimal().with(tt.set).input(), disk{"/token": "\ufeff" + token + "\r\n"}.read)
			if err != nil {
				t.Fatal(err)
			}
			if (c.Account != nil) != (tt.want != "") || c.AllowUnseen != tt.unseen {
				t.Errorf("got account %+v, allowed %v, want %q, %v", c.Account, c.AllowUnseen, tt.want, tt.unseen)
			}
			if a := c.Account; a != nil && (a.Server.String() != tt.want || a.Token.Reveal() != token || !c.Named(a.Server) || c.AppService != nil) {
				t.Errorf("got %+v, want the token at %s, a named server", a, tt.want)
			}
			if text := fmt.Sprint(warnings); len(warnings) > 1 || !strings.Contains(text, tt.warning) {
				t.Errorf("warnings %s, want %q alone", text, tt.warning)
			}
		})
	}
}

// registration is a file without a fault, but for the lines that replace others
// with the same beginning.
func registration(server string, lines ...string) string {
	text := "id: rtc\nas_token: " + goodSecret + "\nhs_token: x" + goodSecret + "\nsender_localpart: rtc\nurl: null\nrate_limited: false\n" +
		"namespaces:\n  users:\n    - exclusive: false\n      regex: '^@.*:" + server + "$'\n" +
		"io.element.msc4502.scopes: [\"urn:matrix:client:io.element.msc4502:rooms:is_joined\"]\n" +
		"io.element.msc4512.proxy_prefix: rtc/livekit\nio.element.msc4512.proxy_url: http://matrixrtc-auth:8080\n"
	for _, line := range lines {
		key, _, _ := strings.Cut(line, ":")
		text = regexp.MustCompile(`(?m)\b`+key+`:.*$`).ReplaceAllString(text, line)
	}
	return text
}

// TestAppService: what the variables of the registration come to.
func TestAppService(t *testing.T) {
	file := vars{"LIVEKIT_AS_REGISTRATION_FILE": "/as.yaml", "LIVEKIT_HS_SERVER_NAME": "example.org"}
	for _, tt := range []struct {
		name string
		set  vars
		text string
		push string
	}{
		{"a file", file, registration("example.org"), ""},
		{"a file with a url", file, registration("example.org", "url: http://matrixrtc-auth:8080"), "rtc"},
		{"tokens", vars{"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": "x" + goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, err := config.Parse(minimal().with(tt.set).input(), disk{"/as.yaml": tt.text}.read)
			if err != nil {
				t.Fatal(err)
			}
			as := c.AppService
			if as == nil || as.ASToken.Reveal() != goodSecret || as.HSToken.Reveal() != "x"+goodSecret || as.Server.String() != "example.org" || as.PushID != tt.push {
				t.Errorf("got %+v, want both tokens, the server and the push id %q", as, tt.push)
			}
			if !c.Named(as.Server) {
				t.Error("the homeserver of the registration is not a named one")
			}
		})
	}
}

func TestURLAliases(t *testing.T) {
	c, _, err := config.Parse(minimal().with(vars{"LIVEKIT_URL_ALIASES": "wss://a.example.org, ws://b:7880/x"}).input(), disk{}.read)
	if got := strings.Join(c.URLAliases, " "); err != nil || got != "wss://a.example.org ws://b:7880/x" {
		t.Errorf("got %q, %v", got, err)
	}
}

// registered are the variables of an application service.
var registered = vars{"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": "x" + goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"}
