package handler

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestMembers(t *testing.T) {
	v, err := parseJSON([]byte(" {\"a\" : 1, \"b\":\"x\\\"y}\" ,\r\n\"c\":{\"d\":[1,{\"e\":\"}]\"}]} ,\"\\u0066\":null,\"\":-1e5\t} "))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for name, v, rest, ok := cutMember(v[1:]); ok; name, v, rest, ok = cutMember(rest) {
		got = append(got, string(name)+"="+string(v))
	}
	want := []string{`"a"=1`, `"b"="x\"y}"`, `"c"={"d":[1,{"e":"}]"}]}`, `"\u0066"=null`, `""=-1e5`}
	if !slices.Equal(got, want) {
		t.Errorf("members = %q, want %q", got, want)
	}
}

func TestEmptyObject(t *testing.T) {
	for _, text := range []string{"{}", "{ }", " {\n} "} {
		v, err := parseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if name, _, _, ok := cutMember(v[1:]); ok {
			t.Errorf("%q has a member %q", text, name)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{`"room"`, "room", true},
		{`"r\u006fom"`, "room", true},
		{`"Room"`, "room", false},
		{`"room "`, "room", false},
		{`""`, "", true},
	} {
		if got := value(c.name).isText(c.text); got != c.want {
			t.Errorf("%s is %q: %v", c.name, c.text, got)
		}
	}
}

// The members must be those that encoding/json finds, whatever the text.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(getTokenBody("@alice:" + homeserver)))
	f.Add([]byte(`{"a":"\\","b\"":["\\\"",{}],"a":0.5e-7,"c":tru}`))
	f.Add([]byte(`{"a":true,"b":[[],[{"x":"]"}]],"\ud800":"\udc00","n":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := parseJSON(body)
		if err != nil || !v.isObject() {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("%q is an object only here: %v", body, err)
		}
		got := map[string]string{}
		for name, v, rest, ok := cutMember(v[1:]); ok; name, v, rest, ok = cutMember(rest) {
			got[name.text()] = string(v)
		}
		if len(got) != len(want) {
			t.Fatalf("%q: members %q, want %q", body, got, want)
		}
		for name, text := range want {
			if got[name] != string(text) {
				t.Errorf("%q: member %q = %q, want %q", body, name, got[name], text)
			}
		}
	})
}

func TestDeepNesting(t *testing.T) {
	r := newRig()
	for _, open := range []string{"[", `{"a":`, `{"openid_token":`, `{"room":[`} {
		body := strings.Repeat(open, maxBodyBytes/len(open))
		if w := r.serve("POST", "/sfu/get", body); w.Code != 400 {
			t.Errorf("%s…: %d, want 400", open, w.Code)
		}
	}
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	body := strings.Replace(sfuGetBody("@alice:"+homeserver), `"device_id"`, `"x":`+deep+`,"device_id"`, 1)
	if w := r.serve("POST", "/sfu/get", body); w.Code != 200 {
		t.Errorf("a deep unknown field: %d %s, want 200", w.Code, w.Body)
	}
}
