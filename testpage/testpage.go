// Package testpage is the page of the connection test: static files that show a
// person whether calls will work on their device, in their network.
//
// The page loads nothing from elsewhere. LiveKit's client library is the file
// of its npm package, unchanged and compressed;
// static/livekit-client.LICENSE.txt is its licence. All files stay compressed
// in the program until they are requested.
package testpage

import (
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/idna"
)

//go:embed static
var static embed.FS

// compressed is the suffix in the name of a compressed file.
const compressed = ".gz"

// types maps the ending of a file's name to the file's media type.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".txt":  "text/plain; charset=utf-8",
}

// index is the name of the page's own HTML file.
const index = "index.html"

// Page serves the files of the connection test.
type Page struct{ policy string }

// New returns the page that tests the SFU at the URL sfu, which has the scheme
// ws or wss.
func New(sfu string) *Page { return &Page{policy: policy(sfu)} }

// policy returns the Content-Security-Policy of the page of the connection
// test. The policy lets the page load scripts only from this service, and
// connect only to this service and the SFU. It also forbids other pages to show
// this page in a frame.
func policy(sfu string) string {
	connect := []string{"'self'"}
	if u, err := url.Parse(sfu); err == nil && u.Host != "" {
		secure := u.Scheme == "wss" || u.Scheme == "https"
		connect = append(connect, scheme(secure, "ws")+host(u), scheme(secure, "http")+host(u))
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; connect-src " + strings.Join(connect, " ") +
		"; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}

func scheme(secure bool, name string) string {
	if secure {
		name += "s"
	}
	return name + ":"
}

// host returns the host of a URL for the Content-Security-Policy, with "//" before
// the host. Such a policy cannot name an IPv6 address. For an IPv6 address, host
// returns "", and the policy then allows every host with the URL's scheme.
func host(u *url.URL) string {
	if strings.Contains(u.Hostname(), ":") {
		return ""
	}
	ascii, err := idna.Lookup.ToASCII(u.Hostname())
	if err != nil { // the host is no valid name, and the browser decides what to do
		return "//" + u.Host
	}
	if port := u.Port(); port != "" {
		ascii += ":" + port
	}
	return "//" + ascii
}

// Files returns a handler for each file. The keys of the map are the files'
// paths below the page's path. The page itself has the key "".
func (p *Page) Files() map[string]http.HandlerFunc {
	entries, err := fs.ReadDir(static, "static")
	if err != nil {
		panic(err) // the files are embedded, so reading them does not fail
	}
	files := map[string]http.HandlerFunc{}
	for _, entry := range entries {
		f := newFile(entry.Name())
		switch f.name {
		case index:
			files[""] = p.serveIndex(f)
		default:
			files[f.name] = p.serve(f)
		}
	}
	return files
}

// file is a file of the page.
type file struct {
	stored string // the path of the stored file in static
	name   string // the name by which clients request the file
	tag    func() string
}

func newFile(stored string) *file {
	f := &file{stored: path.Join("static", stored), name: strings.TrimSuffix(stored, compressed)}
	f.tag = sync.OnceValue(f.digest)
	return f
}

func (f *file) isCompressed() bool { return path.Base(f.stored) != f.name }

// open opens the stored file without copying its content.
func (f *file) open() io.ReadSeeker {
	opened, err := static.Open(f.stored)
	if err != nil {
		panic(err) // the file is embedded, so opening it does not fail
	}
	return opened.(io.ReadSeeker)
}

// digest returns the file's entity tag, a hash of its content.
func (f *file) digest() string {
	sum := sha256.New()
	_, _ = io.Copy(sum, f.open()) // reading an embedded file does not fail
	return `"` + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12]) + `"`
}

// serveIndex serves the page. All references in the page are relative, so the
// page works at any path. If the path has a slash at its end, serveIndex
// redirects to the path without the slash.
func (p *Page) serveIndex(f *file) http.HandlerFunc {
	serve := p.serve(f)
	return func(w http.ResponseWriter, r *http.Request) {
		if above, found := strings.CutSuffix(r.URL.Path, "/"); found {
			p.setHeaders(w.Header())
			w.Header().Set("Location", "../"+path.Base(above))
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
		serve(w, r)
	}
}

func (p *Page) serve(f *file) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		p.setHeaders(header)
		header.Set("Content-Type", types[path.Ext(f.name)])
		header.Set("ETag", f.tag())
		if f.isCompressed() {
			header.Add("Vary", "Accept-Encoding")
			if !acceptsGzip(r.Header) {
				f.inflate(w, r)
				return
			}
			header.Set("Content-Encoding", "gzip")
		}
		http.ServeContent(w, r, "", time.Time{}, f.open())
	}
}

// setHeaders sets the headers that all answers have. Cache-Control makes
// browsers ask each time whether their copy of a file is current.
func (p *Page) setHeaders(header http.Header) {
	header.Set("Content-Security-Policy", p.policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Robots-Tag", "noindex, nofollow")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	header.Set("Cache-Control", "no-cache")
}

// acceptsGzip reports whether the client accepts gzip. It ignores which
// encoding the client prefers.
func acceptsGzip(header http.Header) bool {
	for _, line := range header.Values("Accept-Encoding") {
		if slices.ContainsFunc(strings.Split(line, ","), isGzip) {
			return true
		}
	}
	return false
}

func isGzip(coding string) bool {
	name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
	name = strings.TrimSpace(name)
	return (strings.EqualFold(name, "gzip") || name == "*") && strings.ReplaceAll(weight, " ", "") != "q=0"
}

// inflate sends the file decompressed, in pieces.
func (f *file) inflate(w http.ResponseWriter, r *http.Request) {
	w.Header().Del("ETag") // the ETag is right only for the compressed file
	if r.Method == http.MethodHead {
		return
	}
	plain, err := gzip.NewReader(f.open())
	if err != nil {
		panic(err) // the embedded file is valid, so this does not fail
	}
	_, _ = io.Copy(w, plain) // if writing fails, the client has gone, and no one needs the error
}
