package handler

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
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
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			v, err := parseJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if name, _, _, ok := cutMember(v[1:]); ok {
				t.Errorf("%q: got a member %q, want none", text, name)
			}
		})
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
		{`"\u0072\u006F\u006f\u006D"`, "room", true},
		{`"\u0072\u006f\u006f\u006d\u006d"`, "room", false},
		{`"\u0072\u006f\u006f"`, "room", false},
		{`"\u0072oom\u0000"`, "room", false},
		{`"\n"`, "\n", true},
		{`"\n"`, `\n`, false},
		{`"\\n"`, `\n`, true},
		{`"\"\\\/\b\f\r\t"`, "\"\\/\b\f\r\t", true},
		{`"\ud83d\ude00"`, "😀", true},
		{`"\ud83d\ud83d\ude00"`, "\ufffd😀", true},
		{`"\ud83d"`, "\ufffd", true},
		{`""`, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := value(c.name).isText(c.text); got != c.want {
				t.Errorf("%s is %q: got %v, want %v", c.name, c.text, got, c.want)
			}
		})
	}
}

// FuzzMembers checks that this package's JSON parser finds the same members in an
// object as encoding/json.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(getTokenBody("@alice:" + homeserver)))
	f.Add([]byte(`{"a":"\\","b\"":["\\\"",{}],"a":0.5e-7,"c":tru}`))
	f.Add([]byte(`{"a":true,"b":[[],[{"x":"]"}]],"\ud800":"\udc00","n":null}`))
	f.Add(manyNames(escaped("room"), 100))
	f.Add([]byte(`{"\u0072\u006F\u006f\u006D":1,"\n\/\"\\":2,"\ud83d\ude00\ud83d":3}`))
	known := []string{"room", "room_id", "slot_id", "openid_token", "access_token", "delay_timeout", "id"}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := parseJSON(body)
		if err != nil || !v.isObject() {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("%q is an object only here: got %v, want no error", body, err)
		}
		got := map[string]string{}
		for name, v, rest, ok := cutMember(v[1:]); ok; name, v, rest, ok = cutMember(rest) {
			got[name.text()] = string(v)
			for _, text := range append(slices.Clone(known), name.text(), string(name[1:len(name)-1])) {
				if is := name.text() == text; name.isText(text) != is {
					t.Errorf("%s.isText(%q) = %v, want %v", name, text, !is, is)
				}
			}
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
		t.Run(open, func(t *testing.T) {
			body := strings.Repeat(open, maxBodyBytes/len(open))
			if w := r.serve("POST", "/sfu/get", body); w.Code != 400 {
				t.Errorf("%s…: %d, want 400", open, w.Code)
			}
		})
	}
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	body := strings.Replace(sfuGetBody("@alice:"+homeserver), `"device_id"`, `"x":`+deep+`,"device_id"`, 1)
	if w := r.serve("POST", "/sfu/get", body); w.Code != 200 {
		t.Errorf("a deep unknown field: %d %s, want 200", w.Code, w.Body)
	}
}

// manyNames returns a body of about n bytes. All its fields have the same name.
func manyNames(name string, n int) []byte {
	member := `"` + name + `":0,`
	return []byte("{" + strings.Repeat(member, n/len(member)) + `"":0}`)
}

// escaped returns name, which is ASCII, with every letter in its longest JSON
// form.
func escaped(name string) string {
	var b strings.Builder
	for i := range len(name) {
		fmt.Fprintf(&b, `\u%04x`, name[i])
	}
	return b.String()
}

// TestForeignNamesAreNotBuilt checks that the service allocates no memory for
// unknown field names. The names are with and without escapes. Some are as long
// as known names.
func TestForeignNamesAreNotBuilt(t *testing.T) {
	for _, name := range []string{"x", escaped("x"), escaped("device_ix"), escaped("delay_timeouu"), `\n`, `\ud83d\ude00`, escaped(strings.Repeat("x", 9000))} {
		t.Run(fmt.Sprintf("%.30q", name), func(t *testing.T) {
			body := manyNames(name, maxBodyBytes)
			if got := testing.AllocsPerRun(3, func() { decodeGetToken(body) }); got > 20 {
				t.Errorf("a body of members called %.60s: %v allocations, want at most 20", name, got)
			}
		})
	}
}

// BenchmarkEscapedNames measures how long it takes to read bodies with escaped
// field names. It compares them with bodies of the same size and the same
// number of fields, but without escapes.
func BenchmarkEscapedNames(b *testing.B) {
	for _, name := range []string{`\n`, escaped("x"), escaped("device_ix"), escaped("delay_timeout")} {
		plain, costly := manyNames(strings.Repeat("x", len(name)), maxBodyBytes), manyNames(name, maxBodyBytes)
		b.Run(name, func(b *testing.B) {
			var ratio float64
			for b.Loop() {
				ratio = float64(timeOf(costly)) / float64(timeOf(plain))
			}
			b.ReportMetric(ratio, "times-plain")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// timeOf returns how long it takes to read a body 20 times. It measures this
// five times, and returns the shortest time, because other work on the machine
// only makes a measurement longer.
func timeOf(body []byte) time.Duration {
	least := time.Duration(math.MaxInt64)
	for range 5 {
		start := time.Now()
		for range 20 {
			decodeGetToken(body)
		}
		least = min(least, time.Since(start))
	}
	return least
}
