package config_test

import (
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestWarnings checks cases in which the program starts with exactly one
// warning. Each case sets variables besides the minimal ones.
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
		{"LIVEKIT_SECRET", config.OddKey, "contains white space", vars{"LIVEKIT_SECRET": goodSecret + " x"}},
		{"LIVEKIT_SECRET", config.OddKey, "contains white space", vars{"LIVEKIT_SECRET": goodSecret + "\x00x"}},
		{"LIVEKIT_SECRET", config.WeakSecret, "demo values", vars{"LIVEKIT_KEY": "devkey", "LIVEKIT_SECRET": "secret"}},
		{"LIVEKIT_SECRET", config.Quoted, "quotation marks", vars{"LIVEKIT_SECRET": `"` + goodSecret + `"`}},
		{"LIVEKIT_KEY", config.OddKey, "contains white space", vars{"LIVEKIT_KEY": "a b"}},
		{"LIVEKIT_KEY", config.Ignored, "LIVEKIT_KEY_FROM_FILE is set", vars{"LIVEKIT_KEY_FROM_FILE": "/key"}},
		{"LIVEKIT_SECRET", config.Ignored, "LIVEKIT_SECRET_FROM_FILE is set", vars{"LIVEKIT_SECRET_FROM_FILE": "/secret"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.Everyone, "every homeserver", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "*"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.NotServerName, `"https://matrix.example.org" cannot be a server name`, vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "example.org https://matrix.example.org"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.NotServerName, `"@alice:example.org" cannot be`, vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "@alice:example.org,example.org"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.OddServerName, `"synapse:8008" is perhaps a mistake (it has a port`, vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "synapse:8008"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.OddServerName, "it has a port", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "matrix.example.org:8448"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.OddServerName, "no dot", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "synapse"}},
		{"LIVEKIT_FULL_ACCESS_HOMESERVERS", config.OddServerName, "capital letters", vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "Example.org"}},
		{"LIVEKIT_LOCAL_HOMESERVERS", config.Ignored, "LIVEKIT_FULL_ACCESS_HOMESERVERS is set", vars{"LIVEKIT_LOCAL_HOMESERVERS": "example.org"}},
		{"LIVEKIT_CS_API_URL_OVERRIDES", config.OddServerName, "capital letters", vars{"LIVEKIT_CS_API_URL_OVERRIDES": "Example.org=https://a"}},
		{"LIVEKIT_ALLOWED_NETWORKS", config.Everyone, "every address", vars{"LIVEKIT_ALLOWED_NETWORKS": "0.0.0.0/0"}},
		{"LIVEKIT_TRUSTED_PROXIES", config.Everyone, "every address", vars{"LIVEKIT_TRUSTED_PROXIES": "::/0"}},
		{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS", config.Unverified, "does not check homeservers", vars{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS": "YES_I_KNOW_WHAT_I_AM_DOING"}},
		{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS", config.UnknownValue, "ignored", vars{"LIVEKIT_INSECURE_SKIP_VERIFY_TLS": "yes_i_know_what_i_am_doing"}},
		{"LK_JWT_PORT", config.Ignored, "LIVEKIT_JWT_PORT is set", vars{"LIVEKIT_JWT_PORT": "80", "LK_JWT_PORT": "81"}},
		{"LK_JWT_PORT", config.ServiceLink, "Kubernetes sets this variable in every pod of a namespace with a Service named lk-jwt; enableServiceLinks: false", vars{"LK_JWT_PORT": "tcp://10.96.0.7:8080"}},
		{"LIVEKIT_LOG_LEVEL", config.UnknownValue, "so info is used", vars{"LIVEKIT_LOG_LEVEL": "loud\n2026"}},
		{"LIVEKIT_LOG_FORMAT", config.UnknownValue, "so text is used", vars{"LIVEKIT_LOG_FORMAT": "xml"}},
		{"LIVEKIT_REDIS_PASSWORD", config.Ignored, "LIVEKIT_REDIS_URL is not set", vars{"LIVEKIT_REDIS_PASSWORD": "pw"}},
		{"LIVEKIT_REDIS_PREFIX", config.Ignored, "LIVEKIT_REDIS_URL is not set", vars{"LIVEKIT_REDIS_PREFIX": "a", "LIVEKIT_STORE": "memory"}},
		{"LIVEKIT_REDIS_PASSWORD_FROM_FILE", config.Ignored, "LIVEKIT_REDIS_URL is not set", vars{"LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/key", "LIVEKIT_STORE": "file:/x"}},
		{"LIVEKIT_REDIS_PASSWORD", config.Ignored, "LIVEKIT_REDIS_PASSWORD_FROM_FILE is set", vars{"LIVEKIT_REDIS_URL": "redis://r", "LIVEKIT_REDIS_PASSWORD": "a", "LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/key"}},
		{"LIVEKIT_REDIS_URL", config.Unverified, "the service does not check the certificate of Redis", vars{"LIVEKIT_REDIS_URL": "rediss://r?skip_verify=true"}},
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

// TestSeveralWarnings checks the cases with more than one warning.
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
			[]string{"LIVEKIT_KEY: this variable is ignored", "LIVEKIT_SECRET: this variable is ignored", "LIVEKIT_KEY_FILE: the secret has fewer"},
		}, {
			vars{"LIVEKIT_REDIS_URL": "redis://:a@s:1?master_name=m&password=c", "LIVEKIT_REDIS_PASSWORD": "b"}, nil,
			[]string{"LIVEKIT_REDIS_URL: the password in the URL is ignored, because LIVEKIT_REDIS_PASSWORD is"},
		},
		{
			vars{"LIVEKIT_REDIS_URL": "redis://:a@s:1?master_name=m", "LIVEKIT_REDIS_PASSWORD": "b"}, nil, nil, // the URL has the password of the Sentinels, and the variable has the password of Redis
		},
		{
			vars{"LIVEKIT_REDIS_URL": "redis://:a@redis", "LIVEKIT_REDIS_PASSWORD": "b"}, nil,
			[]string{"LIVEKIT_REDIS_URL: the password in the URL is ignored, because LIVEKIT_REDIS_PASSWORD is"},
		}, {
			vars{"LIVEKIT_REDIS_URL": "redis://:a@redis", "LIVEKIT_REDIS_PASSWORD": "b", "LIVEKIT_REDIS_PASSWORD_FROM_FILE": "/pw"}, disk{"/pw": "c"},
			[]string{"LIVEKIT_REDIS_PASSWORD: this variable is ignored", "LIVEKIT_REDIS_URL: the password in the URL is ignored, because LIVEKIT_REDIS_PASSWORD_FROM_FILE is"},
		}, {
			vars{"LIVEKIT_AS_REGISTRATION_FILE": "/as.yaml", "LIVEKIT_AS_TOKEN": "x", "LIVEKIT_HS_SERVER_NAME": "synapse"},
			disk{"/as.yaml": registration("synapse", "as_token: a", "url: null", "exclusive: true")},
			[]string{"no dot", "LIVEKIT_AS_TOKEN: this variable is ignored", "as_token: it has 1 characters", "namespaces.users: exclusive"},
		}, {
			vars{"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"}, nil,
			[]string{"LIVEKIT_HS_TOKEN: the token equals LIVEKIT_AS_TOKEN"},
		}, {
			registered.with(vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true", "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS": "0"}), nil,
			[]string{"LIVEKIT_CAN_UPDATE_OWN_METADATA: participants can remove the ticket"},
		}, {
			vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true"}, nil,
			[]string{"LIVEKIT_CAN_UPDATE_OWN_METADATA: participants can remove the ticket"},
		}, {
			vars{"LIVEKIT_CAN_UPDATE_OWN_METADATA": "true", "LIVEKIT_REQUIRE_MEMBERSHIP": "Off", "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS": "00"}, nil,
			[]string{"LIVEKIT_CAN_UPDATE_OWN_METADATA: participants can remove the ticket"},
		},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.want, "; "), func(t *testing.T) {
			_, warnings, err := config.Parse(minimal().with(test.set).input(), test.files.read)
			if err != nil || len(warnings) != len(test.want) {
				t.Errorf("%v: got %q, %v, want %d warnings", test.set, warnings, err, len(test.want))
				return
			}
			for i, want := range test.want {
				if !strings.Contains(warnings[i].String(), want) {
					t.Errorf("%v: warning %q, want %q in it", test.set, warnings[i], want)
				}
			}
		})
	}
}
