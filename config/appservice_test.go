package config_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestNamespacesNeedAServer checks that no warning compares the registration
// file with the server name if that name is missing or invalid.
func TestNamespacesNeedAServer(t *testing.T) {
	for _, name := range []string{"", "@a:b"} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			set := vars{"LIVEKIT_AS_REGISTRATION_FILE": "/as.yaml", "LIVEKIT_HS_SERVER_NAME": name}
			_, warnings, err := config.Parse(minimal().with(set).input(), disk{"/as.yaml": registration("example.org")}.read)
			if err == nil || len(warnings) > 0 {
				t.Errorf("name %q: got %v and warnings %q, want a fault and no warning", name, err, warnings)
			}
		})
	}
}

// TestAccount checks that the server name and the token file alone are a valid
// configuration. If the service is registered as an application service, it
// ignores the token file.
func TestAccount(t *testing.T) {
	const token = "syt_cnRj_abcdefghij"
	account := vars{"LIVEKIT_MEMBERSHIP_TOKEN_FILE": "/token", "LIVEKIT_HS_SERVER_NAME": "example.com"}
	for _, tt := range []struct {
		name    string
		set     vars
		want    string // the server of the account; "" for no account
		unseen  bool
		warning string
	}{
		{"alone", account, "example.com", false, ""},
		{"required", account.with(vars{"LIVEKIT_REQUIRE_MEMBERSHIP": "on", "LIVEKIT_MEMBERSHIP_UNKNOWN": "allow"}), "example.com", true, ""},
		{"beside an application service", account.with(registered), "", false, "LIVEKIT_MEMBERSHIP_TOKEN_FILE: this variable is ignored"},
		{"none", vars{}, "", false, ""},
		{"allowed for nobody", vars{"LIVEKIT_MEMBERSHIP_UNKNOWN": "allow"}, "", true, "LIVEKIT_MEMBERSHIP_UNKNOWN: this variable is ignored"},
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

// registration returns a registration file without a fault. Each line in lines
// replaces the line of the file that sets the same key.
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

// TestAppService checks what Parse makes of the variables of the registration.
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
				t.Errorf("Named(%s): got false, want true of the registration's homeserver", as.Server)
			}
		})
	}
}

// registered has the variables of an application service.
var registered = vars{"LIVEKIT_AS_TOKEN": goodSecret, "LIVEKIT_HS_TOKEN": "x" + goodSecret, "LIVEKIT_HS_SERVER_NAME": "example.org"}
