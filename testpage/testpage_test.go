package testpage

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

// ask requests url from the handler of the file called name, and returns the
// answer. headers are the request's headers: a name, its value, the next name,
// and so on.
func ask(t *testing.T, sfu, name, url string, headers ...string) *http.Response {
	t.Helper()
	serve := New(sfu).Files()[name]
	if serve == nil {
		t.Fatalf("Files: got no %q, want it", name)
	}
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	serve(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) []byte {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPolicy(t *testing.T) {
	for sfu, connect := range map[string]string{
		"wss://sfu.example.org":             "'self' wss://sfu.example.org https://sfu.example.org",
		"wss://example.org:8443/livekit":    "'self' wss://example.org:8443 https://example.org:8443",
		"ws://127.0.0.1:7880":               "'self' ws://127.0.0.1:7880 http://127.0.0.1:7880",
		"https://sfu.example.org/with/path": "'self' wss://sfu.example.org https://sfu.example.org",
		"wss://sfu.exämple.org:8443":        "'self' wss://sfu.xn--exmple-cua.org:8443 https://sfu.xn--exmple-cua.org:8443",
		"wss://sfu_1.example.org":           "'self' wss://sfu_1.example.org https://sfu_1.example.org",
		"wss://[2001:db8::7]:7880":          "'self' wss: https:",
		"":                                  "'self'",
	} {
		t.Run(sfu, func(t *testing.T) {
			want := "default-src 'none'; script-src 'self'; style-src 'self'; connect-src " + connect + "; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
			if got := policy(sfu); got != want {
				t.Errorf("policy(%q) = %s, want %s", sfu, got, want)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	const sfu = "wss://sfu.example.org"
	for name := range New(sfu).Files() {
		t.Run(name, func(t *testing.T) {
			header := ask(t, sfu, name, strings.TrimSuffix("/test/"+name, "/"), "Accept-Encoding", "br, gzip").Header
			for field, want := range map[string]string{
				"Content-Security-Policy": policy(sfu), "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow",
				"X-Content-Type-Options": "nosniff", "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
				"Cache-Control": "no-cache", "Set-Cookie": "", "Content-Type": types[path.Ext(cmp.Or(name, index))],
			} {
				if got := strings.Join(header.Values(field), "|"); got != want {
					t.Errorf("%s = %q, want %q", field, got, want)
				}
			}
		})
	}
}

// TestPaths checks that the page works at any path. All references in the page
// must be relative. A path with a slash at its end must redirect to the path
// without the slash.
func TestPaths(t *testing.T) {
	text := body(t, ask(t, "", "", "/test"))
	names := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllSubmatch(text, -1)
	if len(names) < 3 {
		t.Fatalf("the page names %d files, want at least 3", len(names))
	}
	files := New("").Files()
	for _, name := range names {
		file, found := strings.CutPrefix(string(name[1]), "test/")
		if !found || files[file] == nil {
			t.Errorf("the page names %q, want a file below test/", name[1])
		}
	}
	for url, want := range map[string]string{"/test/": "../test", "/livekit/jwt/test/": "../test"} {
		t.Run(url, func(t *testing.T) {
			if r := ask(t, "", "", url); r.StatusCode != http.StatusPermanentRedirect || r.Header.Get("Location") != want {
				t.Errorf("GET %s: %d to %q, want 308 to %q", url, r.StatusCode, r.Header.Get("Location"), want)
			}
		})
	}
}

// TestScriptsNameFiles checks that the scripts import only files of the page,
// and contain no address of another server.
func TestScriptsNameFiles(t *testing.T) {
	files := New("").Files()
	imported := regexp.MustCompile(`(?:from |import\()"\./([^"]+)"`)
	for name := range files {
		if path.Ext(name) != ".js" || name == "livekit-client.js" {
			continue
		}
		text := body(t, ask(t, "", name, "/test/"+name))
		for _, match := range imported.FindAllSubmatch(text, -1) {
			if files[string(match[1])] == nil {
				t.Errorf("%s imports %s, want a file of the page", name, match[1])
			}
		}
		if elsewhere := regexp.MustCompile(`["(]https?://[^"]*`).Find(bytes.ReplaceAll(text, []byte(`"http://www.w3.org/2000/svg"`), nil)); elsewhere != nil && name != "verdicts.js" {
			t.Errorf("%s: got the address %s, want none of another server", name, elsewhere)
		}
	}
}

// TestCompressed checks that a client that does not accept gzip gets the same
// file uncompressed.
func TestCompressed(t *testing.T) {
	const name = "livekit-client.js"
	packed := ask(t, "", name, "/test/"+name, "Accept-Encoding", "gzip, deflate, br")
	if packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("headers %v, want gzip", packed.Header)
	}
	plain, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	inflated, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, accepted := range []string{"", "identity", "gzip;q=0", "br"} {
		t.Run(fmt.Sprintf("%q", accepted), func(t *testing.T) {
			r := ask(t, "", name, "/test/"+name, "Accept-Encoding", accepted)
			if got := body(t, r); r.Header.Get("Content-Encoding") != "" || !bytes.Equal(got, inflated) {
				t.Errorf("Accept-Encoding %q: %q, %d bytes, want the %d of the file", accepted, r.Header.Get("Content-Encoding"), len(got), len(inflated))
			}
		})
	}
}

// TestNotModified checks that a client that has the current file gets 304.
func TestNotModified(t *testing.T) {
	first := ask(t, "", "main.js", "/test/main.js")
	tag := first.Header.Get("ETag")
	if again := ask(t, "", "main.js", "/test/main.js", "If-None-Match", tag); tag == "" || again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again with %q: %d, want 304", tag, again.StatusCode)
	}
}

// TestSize checks that the page's files take no more than 200 kB in the
// program.
func TestSize(t *testing.T) {
	const most = 200_000
	total := 0
	entries, err := fs.ReadDir(static, "static")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += int(info.Size())
	}
	if total > most {
		t.Errorf("the files have %d bytes, want %d at most", total, most)
	}
}

// TestNoHeap checks that serving a file makes no copy of the file in memory.
func TestNoHeap(t *testing.T) {
	serve := New("").Files()["livekit-client.js"]
	r := httptest.NewRequest(http.MethodGet, "/test/livekit-client.js", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			serve(&discard{header: http.Header{}}, r)
		}
	})
	const most = 48 << 10 // one buffer of 32 KiB, and headers
	if result.AllocedBytesPerOp() > most {
		t.Errorf("one answer of 149 kB takes %d bytes of memory, want %d at most", result.AllocedBytesPerOp(), most)
	}
}

// discard is a ResponseWriter that keeps nothing of what is written to it.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
