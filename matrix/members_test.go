package matrix_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
)

// largeRoom returns a handler that answers with a list of n members. Their
// names and profiles have the usual length.
func largeRoom(self string, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"joined":{%q:{}`, self)
		for i := range n {
			fmt.Fprintf(w, `,"@user%06d:homeserver%03d.example.org":{"avatar_url":"mxc://homeserver%03d.example.org/abcdefghijklmnopqrstuvwx","display_name":"User number %d"}`, i, i%1000, i%1000, i)
		}
		io.WriteString(w, "}}")
	}
}

// TestLargeRoom checks that the service reads the whole list of a large room,
// and that the heap does not grow in that time.
func TestLargeRoom(t *testing.T) {
	const n = 30_000
	s := matrixtest.NewServer()
	defer s.Close()
	a := accountAt(t, s)
	s.ScriptMembers(largeRoom(s.UserID("rtc"), n))
	seen, most, before := 0, uint64(0), heap()
	err := a.EachJoined(t.Context(), matrixtest.RoomID(t, "!room:a.test"), func(string) {
		if seen++; seen%6_000 == 0 {
			most = max(most, heap())
		}
	})
	if err != nil || seen != n+1 {
		t.Errorf("saw %d, %v, want %d", seen, err, n+1)
	}
	if most > before+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes meanwhile, want 1 MB more at most", before, most)
	}
}

// heap returns how many bytes of the heap are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestTooLarge checks that readMembers returns an error for a list that is
// larger than the bound, even if each member is small.
func TestTooLarge(t *testing.T) {
	const most = 1 << 20
	endless := &repeated{start: `{"joined":{"@a:b":{}`, again: `,"@a:b":{"display_name":"` + strings.Repeat("x", 1000) + `"}`}
	err := matrix.ReadMembers(endless, most, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "larger than this service accepts") || endless.read > most {
		t.Errorf("got %v after %d bytes, want that it is too large after %d", err, endless.read, most)
	}
}

// repeated is an endless reader with two texts. It returns the first text,
// start, once. Then it repeats the second text, again, without end.
type repeated struct {
	start, again string
	read         int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.start == "" {
		r.start = r.again
	}
	n := copy(p, r.start)
	r.start, r.read = r.start[n:], r.read+n
	return n, nil
}

// BenchmarkReadMembers reads the list of members of a room with 100,000
// members.
func BenchmarkReadMembers(b *testing.B) {
	list := httptest.NewRecorder()
	largeRoom("@rtc:a.test", 100_000)(list, nil)
	text := list.Body.Bytes()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := matrix.ReadMembers(bytes.NewReader(text), matrix.MaxMembersBytes, func(string) {}); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzReadMembers checks that readMembers either returns an error, or finds the
// same names as encoding/json.
func FuzzReadMembers(f *testing.F) {
	f.Add([]byte(`{"joined":{"@a:b":{"display_name":null},"@\u00fc:b":{}}}`))
	f.Add([]byte(`{"x":[1,{}],"joined":{}} `))
	f.Add([]byte(`{"joined":{"@a:b":{}},"joined":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := map[string]bool{}
		err := matrix.ReadMembers(bytes.NewReader(text), matrix.MaxMembersBytes, func(user string) { got[user] = true })
		var all, want map[string]json.RawMessage
		wantErr := json.Unmarshal(text, &all)
		if wantErr == nil {
			wantErr = json.Unmarshal(all["joined"], &want)
		}
		if err != nil {
			return
		}
		if wantErr != nil || len(got) != len(want) {
			t.Fatalf("%q: got %v, want %v, %v", text, got, want, wantErr)
		}
		for user := range got {
			if _, ok := want[user]; !ok {
				t.Fatalf("%q: got %q, want nobody but %v", text, user, want)
			}
		}
	})
}
