package config_test

import (
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestValues checks the value of one variable in the resulting Config. Each
// case sets variables besides the minimal ones.
func TestValues(t *testing.T) {
	tests := []struct {
		name  string // the variable whose value is checked
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

func TestURLAliases(t *testing.T) {
	c, _, err := config.Parse(minimal().with(vars{"LIVEKIT_URL_ALIASES": "wss://a.example.org, ws://b:7880/x"}).input(), disk{}.read)
	if got := strings.Join(c.URLAliases, " "); err != nil || got != "wss://a.example.org ws://b:7880/x" {
		t.Errorf("URLAliases: got %q, %v, want both as they are written", got, err)
	}
}
