package doctor_test

import (
	"errors"
	"strings"
	"testing"

	"matrixrtc-auth/doctor/instruments"
)

// TestRedacted checks that doctor does not print a secret that is written in a
// wrong place.
func TestRedacted(t *testing.T) {
	const other = "another-secret-0123456789-0123456789"
	for name, breakIt := range map[string]func(*stack){
		"our secret for the key's name": replace("api_key: matrixrtc", "api_key: \""+stackKey.Secret.Reveal()+"\""),
		"their secret":                  replace("port: 7880\n", "keys: {matrixrtc: "+other+"}\n"),
		"their secret in a key file":    keyFileOf("matrixrtc: "+other+"\n", 0o640),
		"their key file's secret for the key's name": func(s *stack) {
			keyFileOf("other: "+other+"\n", 0o640)(s)
			replace("api_key: matrixrtc", "api_key: "+other)(s)
		},
		"an unknown one": replace("api_key: matrixrtc", "api_key: "+other),
		"an unknown one, no webhook": func(s *stack) {
			replace("api_key: matrixrtc", "api_key: "+other)(s)
			replace("/sfu_webhook", "/webhook?token="+other)(s)
		},
		"a webhook's password":                   replace("http://matrixrtc-auth", "http://user:"+other+"@matrixrtc-auth"),
		"LIVEKIT_URL's query":                    set("LIVEKIT_URL", "wss://sfu.example.org?token="+other),
		"LIVEKIT_URL's password":                 set("LIVEKIT_URL", "wss://user:"+other+"@sfu.example.org"),
		"LIVEKIT_URL's password with an @":       set("LIVEKIT_URL", "wss://user:a@"+other+"@sfu.example.org"),
		"LIVEKIT_URL's password with a /":        set("LIVEKIT_URL", "wss://user/"+other+"@sfu.example.org"),
		"LIVEKIT_URL's password with a bad port": set("LIVEKIT_URL", "wss://user:a/"+other+"@sfu.example.org"),
		"a webhook's password with a /":          replace("http://matrixrtc-auth", "http://user:a/"+other+"@matrixrtc-auth"),
		"an address of the well-known": func(s *stack) {
			foci("https://user:" + other + "@jwt.example.org//")(s)
		},
		"a join that repeats its token": func(s *stack) {
			s.joinErr = errors.New("dial ws://livekit:7880/rtc?access_token=eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln")
		},
		"a join that repeats the secret": func(s *stack) { s.joinErr = &instruments.JoinError{Err: errors.New(stackKey.Secret.Reveal())} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			breakIt(s)
			printed := text(s.examine())
			for _, secret := range []string{userToken, stackKey.Secret.Reveal(), other, "eyJ"} {
				if strings.Contains(printed, secret) {
					t.Errorf("got the report\n%s\nwant no %q in it", printed, secret)
				}
			}
		})
	}
}
