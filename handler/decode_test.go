package handler

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// replaceIn returns body with a new value at path. path is, for example, "room"
// or "openid_token.access_token". The parameter with is the new value as JSON.
// If it is "", replaceIn removes the field.
func replaceIn(t testing.TB, body, path, with string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	at, name := doc, path
	if outer, inner, nested := strings.Cut(path, "."); nested {
		at, name = doc[outer].(map[string]any), inner
	}
	delete(at, name)
	if with != "" {
		at[name] = json.RawMessage(with)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var endpoints = []struct {
	path, body string
	fields     []string
}{
	{"/sfu/get", sfuGetBody("@alice:" + homeserver),
		[]string{"room", "openid_token", "openid_token.access_token", "openid_token.matrix_server_name", "device_id"}},
	{"/", sfuGetBody("@alice:" + homeserver),
		[]string{"room", "openid_token", "openid_token.access_token", "openid_token.matrix_server_name", "device_id"}},
	{"/get_token", getTokenBody("@alice:" + homeserver),
		[]string{"room_id", "slot_id", "openid_token", "openid_token.access_token", "openid_token.matrix_server_name",
			"member", "member.id", "member.claimed_user_id", "member.claimed_device_id"}},
}

func wantBadJSON(t *testing.T, what string, code int, body, field string) {
	t.Helper()
	if code != 400 || !strings.Contains(body, `"errcode":"M_BAD_JSON"`) || !strings.Contains(body, field) {
		t.Errorf("%s: %d %s, want 400 M_BAD_JSON naming %q", what, code, body, field)
	}
}

func TestEveryFieldIsRequired(t *testing.T) {
	r := newRig()
	for _, e := range endpoints {
		for _, field := range e.fields {
			for _, with := range []string{"", "null", `""`, "5", "true", "[]", `["x"]`, `"\u0000"`} {
				t.Run(e.path+" "+field+" = "+with, func(t *testing.T) {
					if field == "openid_token.access_token" && with == `"\u0000"` {
						return // any text can be a valid token, because only the homeserver can check it
					}
					w := r.serve("POST", e.path, replaceIn(t, e.body, field, with))
					wantBadJSON(t, e.path+" "+field+" = "+with, w.Code, w.Body.String(), field)
				})
			}
		}
	}
}

func TestObjectsMustBeObjects(t *testing.T) {
	r := newRig()
	for _, with := range []string{`"x"`, "5", "[]", "true"} {
		for field, e := range map[string]int{"openid_token": 0, "member": 2} {
			t.Run(field+" = "+with, func(t *testing.T) {
				w := r.serve("POST", endpoints[e].path, replaceIn(t, endpoints[e].body, field, with))
				wantBadJSON(t, field+" = "+with, w.Code, w.Body.String(), field+" must be an object")
			})
		}
	}
}

func TestGrammars(t *testing.T) {
	r := newRig()
	for _, c := range []struct{ path, field, value string }{
		{"/sfu/get", "room", `"#alias:example.org"`},
		{"/sfu/get", "room", `"` + "!" + strings.Repeat("x", 255) + `"`},
		{"/sfu/get", "device_id", `"` + strings.Repeat("x", 256) + `"`},
		{"/sfu/get", "device_id", `"WITH:COLON"`},
		{"/sfu/get", "device_id", `"` + strings.Repeat("x", 255) + `"`}, // with this device id, the identity would be too long
		{"/sfu/get", "openid_token.matrix_server_name", `"https://example.org"`},
		{"/sfu/get", "openid_token.matrix_server_name", `"example.org/path"`},
		{"/get_token", "room_id", `"room"`},
		{"/get_token", "member.claimed_user_id", `"alice"`},
		{"/get_token", "member.claimed_user_id", `"@alice"`},
		{"/get_token", "member.id", `"` + strings.Repeat("x", 256) + `"`},
		{"/get_token", "slot_id", `"` + strings.Repeat("x", 256) + `"`},
	} {
		t.Run(c.path, func(t *testing.T) {
			for _, e := range endpoints {
				if e.path == c.path {
					w := r.serve("POST", c.path, replaceIn(t, e.body, c.field, c.value))
					wantBadJSON(t, c.field+" = "+c.value, w.Code, w.Body.String(), c.field+" is not valid")
				}
			}
		})
	}
	if len(r.rooms.rooms) > 0 {
		t.Errorf("rooms were created for requests that are refused: got %q, want 0", r.rooms.rooms)
	}
}

// TestWhatIsUnknownIsIgnored checks that the service ignores unknown fields,
// because homeservers and clients may add fields at any time.
func TestWhatIsUnknownIsIgnored(t *testing.T) {
	r := newRig()
	for _, e := range endpoints {
		for _, field := range []string{"openid_token.expires_in", "openid_token.token_type", "openid_token.new", "new",
			"ROOM", "Room_Id", "OPENID_TOKEN", "delay_cs_api_url", "token_type", "member", "slot_id", "room"} {
			t.Run(e.path+" "+field, func(t *testing.T) {
				if strings.Contains(e.body, `"`+field+`":`) && !strings.Contains(field, "openid_token.") {
					return // this endpoint knows the field
				}
				for _, value := range []string{"3600", "3600.5", "null", `"3600"`, "{}", `[1,{"a":2}]`, "true", "1e999"} {
					w := r.serve("POST", e.path, replaceIn(t, e.body, field, value))
					if w.Code != 200 {
						t.Errorf("%s with %s = %s: got %d %s, want 200", e.path, field, value, w.Code, w.Body)
					}
				}
			})
		}
	}
}

func TestTheLastOfEqualNamesCounts(t *testing.T) {
	r := newRig()
	body := `{"device_id":5,` + sfuGetBody("@alice:" + homeserver)[1:]
	if w := r.serve("POST", "/sfu/get", body); w.Code != 200 {
		t.Errorf("wrong first, right last: got %d %s, want 200", w.Code, w.Body)
	}
	body = strings.TrimSuffix(sfuGetBody("@alice:"+homeserver), "}") + `,"device_id":null}`
	w := r.serve("POST", "/sfu/get", body)
	wantBadJSON(t, "right first, null last", w.Code, w.Body.String(), "device_id is missing")
}

func TestNotJSON(t *testing.T) {
	r := newRig()
	good := sfuGetBody("@alice:" + homeserver)
	for name, body := range map[string]string{
		"nothing": "", "a blank": " ", "a letter": "x", "a brace": "{", "a comma alone": "{,}", "NaN": "NaN", "a form": "room=!a",
		"a letter behind it": good + "x", "two": good + good, "a comma behind it": good + ",", "cut off": good[:len(good)-1],
		"a byte order mark": "\xef\xbb\xbf" + good, "not UTF-8": strings.Replace(good, "DEVICE", "\xff", 1),
		"a hexadecimal number": strings.Replace(good, "3600", "0x10", 1), "an apostrophe": strings.Replace(good, `"DEVICE"`, "'DEVICE'", 1),
	} {
		t.Run(name, func(t *testing.T) {
			w := r.serve("POST", "/sfu/get", body)
			if got := w.Body.String(); w.Code != 400 || got != `{"errcode":"M_NOT_JSON","error":"The body is not JSON"}` {
				t.Errorf("%q: got %d %s, want 400 M_NOT_JSON", body, w.Code, got)
			}
		})
	}
	for name, body := range map[string]string{
		"null": "null", "a number": "5", "a text": `"x"`, "an empty list": "[]", "a list": "[" + good + "]", "true": "true",
	} {
		t.Run(name, func(t *testing.T) {
			w := r.serve("POST", "/sfu/get", body)
			wantBadJSON(t, body, w.Code, w.Body.String(), "not a JSON object")
		})
	}
	if w := r.serve("POST", "/sfu/get", " \t\r\n"+good+"\n\n"); w.Code != 200 {
		t.Errorf("white space around: got %d %s, want 200", w.Code, w.Body)
	}
}

func TestAnyContentType(t *testing.T) {
	r := newRig()
	for _, contentType := range []string{"", "application/x-www-form-urlencoded", "text/plain", "application/json; charset=latin1", "nonsense"} {
		t.Run(fmt.Sprintf("%q", contentType), func(t *testing.T) {
			w := r.serve("POST", "/sfu/get", sfuGetBody("@alice:"+homeserver), "Content-Type", contentType)
			if w.Code != 200 {
				t.Errorf("Content-Type %q: got %d %s, want 200", contentType, w.Code, w.Body)
			}
		})
	}
}

func TestDelegationThatIsOff(t *testing.T) {
	r := newRig()
	for _, e := range endpoints {
		for members, want := range map[string]string{
			`"delay_id":"syd_x","delay_timeout":8000`:                        "Delegation",
			`"delay_id":"syd_x","delay_timeout":"8000"`:                      "Delegation",
			`"delay_id":"syd_x","delay_timeout":8e3,"delay_cs_api_url":"x"`:  "Delegation",
			`"delay_id":"","delay_timeout":8000`:                             "delay_id is missing",
			`"delay_id":"..","delay_timeout":8000`:                           "delay_id is not valid",
			`"delay_id":"x","delay_timeout":499.9`:                           "delay_timeout must be a number of milliseconds",
			`"delay_id":"syd_x"`:                                             "delay_timeout is missing",
			`"delay_timeout":8000`:                                           "delay_id is missing",
			`"delay_id":null,"delay_timeout":8000`:                           "delay_id is missing",
			`"delay_id":"syd_x","delay_timeout":null,"delay_cs_api_url":"u"`: "delay_timeout is missing",
			`"delay_id":5,"delay_timeout":8000`:                              "delay_id must be a string",
			`"delay_id":"syd_x","delay_timeout":true`:                        "delay_timeout must be a number",
			`"delay_id":"syd_x","delay_timeout":[8000]`:                      "delay_timeout must be a number",
		} {
			t.Run(e.path+" "+members, func(t *testing.T) {
				w := r.serve("POST", e.path, strings.TrimSuffix(e.body, "}")+","+members+"}")
				wantBadJSON(t, e.path+" "+members, w.Code, w.Body.String(), want)
			})
		}
		for _, members := range []string{`"delay_id":null`, `"delay_id":null,"delay_timeout":null`, `"delay_cs_api_url":"https://evil.example"`, `"delay_cs_api_url":5`} {
			t.Run(e.path+" "+members, func(t *testing.T) {
				w := r.serve("POST", e.path, strings.TrimSuffix(e.body, "}")+","+members+"}")
				if w.Code != 200 {
					t.Errorf("%s %s: %d %s, want 200", e.path, members, w.Code, w.Body)
				}
			})
		}
	}
	if len(r.log.Lines()) == 0 || strings.Contains(r.log.String(), "evil") {
		t.Errorf("log: got %s, want a line without delay_cs_api_url", r.log)
	}
}

// FuzzBodies checks that the service answers every body with one of the known
// answers, and does not crash.
func FuzzBodies(f *testing.F) {
	for _, e := range endpoints {
		f.Add(e.path, []byte(e.body))
	}
	f.Add("/sfu/get", []byte(`{"room":"!a","openid_token":{"access_token":"x","matrix_server_name":"[::1]:8448"},"device_id":"a"}`))
	f.Add("/get_token", []byte(`{"room_id":"\ud800","member":{"id":"\u0000"}}`))
	f.Add("/sfu/get", []byte(`{"delay_id":"x","delay_timeout":1e400}`))
	r := newRig()
	r.Log = slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		if path != "/" && path != "/sfu/get" {
			path = "/get_token"
		}
		w := r.serve("POST", path, string(body))
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%q: got the answer %q, want JSON", body, w.Body)
		}
		switch w.Code {
		case 200, 400, 401, 413:
		default:
			t.Errorf("%q: got %d %s, want 200, 400, 401 or 413", body, w.Code, w.Body)
		}
	})
}
