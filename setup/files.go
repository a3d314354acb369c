package setup

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/matrix"
)

// file is a file that setup writes. Only its owner may read a secret file. If
// the file is also shared, its group may read it, too.
type file struct {
	name           string
	content        string
	secret, shared bool
	merge          merger // merges setup's content into a file that a person changed; nil if setup does not merge this file
	own            string // lines of the old deployment that setup writes after the content of a new file
}

func (f file) mode() fs.FileMode {
	switch {
	case f.shared:
		return 0o640
	case f.secret:
		return 0o600
	}
	return 0o644
}

// The names of files that other files or messages mention.
const (
	envFile  = ".env"
	sfuFile  = "livekit.yaml"
	certFile = "turn-cert.pem"
	keyFile  = "turn-key.pem"

	registrationFile = appservice.DefaultFile
)

// files returns all files that setup writes for the plan.
func (p plan) files(templates fs.FS) ([]file, error) {
	r := &renderer{templates: templates, values: p.values()}
	files := []file{
		{name: answersFile, content: answersText(p.answers), merge: mergeAnswers},
		{name: "compose.yaml", content: r.change("compose.yaml", p.composeEdits)},
		{name: sfuFile, content: r.change("livekit.yaml.example", p.liveKitEdits)},
		{name: envFile, content: r.change(".env.example", p.envEdits), secret: true, merge: p.mergeEnv, own: p.over.envLines()},
	}
	for _, w := range p.wellKnowns() {
		files = append(files, file{name: w.file, content: p.wellKnown(w.server)})
	}
	files = append(files,
		file{name: "homeserver-additions.yaml", content: r.execute("homeserver-additions.yaml")},
		r.quoted("Nginx", "nginx.conf.example"),
		r.quoted("Caddy", "Caddyfile.example"),
		r.quoted("Traefik", "traefik.yaml.example"),
		file{name: "reverse-proxy.md", content: r.execute("reverse-proxy.md")},
		file{name: "ports.md", content: r.execute("ports.md")},
	)
	if p.takenPage != "" {
		files = append(files, file{name: takenFile, content: p.takenPage})
	}
	if p.AppServiceURL != "" {
		files = append(files, file{name: registrationFile, content: string(p.registration.Text()), secret: true, shared: true})
	}
	if p.Certificate != nil {
		files = append(files,
			file{name: certFile, content: string(p.Certificate)},
			file{name: keyFile, content: string(p.privateKey), secret: true})
	}
	return files, r.err
}

// quoted makes a file from the template at path. It also stores the file's
// content in r.values, with name as the key, so that reverse-proxy.md can quote
// the content.
func (r *renderer) quoted(name, path string) file {
	content := r.execute(path)
	r.values[name] = strings.TrimSpace(content)
	return file{name: path, content: content}
}

// wellKnown returns the JSON that the website of the server name must serve at the
// path /.well-known/matrix/client.
func (p plan) wellKnown(server matrix.ServerName) string {
	type transport struct {
		Type       string `json:"type"`
		ServiceURL string `json:"livekit_service_url"`
	}
	content, _ := json.MarshalIndent(struct { // this returns no error, because strings always have a JSON form
		Homeserver map[string]string `json:"m.homeserver"`
		Foci       []transport       `json:"org.matrix.msc4143.rtc_foci"`
	}{map[string]string{"base_url": p.BaseURLs[server]}, []transport{{"livekit", p.JWTURL()}}}, "", "  ")
	return string(content) + "\n"
}

//go:embed templates
var own embed.FS

// renderer makes files from templates. After an error its methods return "".
type renderer struct {
	templates fs.FS             // the repository's files: compose.yaml and others
	values    map[string]string // the values for the templates in setup/templates
	err       error
}

// change applies edits to one of the repository's files, and returns the
// changed content.
func (r *renderer) change(name string, edits func() []edit) string {
	if r.err != nil {
		return ""
	}
	var content []byte
	if content, r.err = fs.ReadFile(r.templates, name); r.err != nil {
		return ""
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n") // Git may check a file out with these line ends on Windows
	text, r.err = change(name, text, edits()...)
	return text
}

// execute fills the values into a template of setup/templates, and returns the
// content.
func (r *renderer) execute(name string) string {
	if r.err != nil {
		return ""
	}
	content, err := own.ReadFile("templates/" + name + ".tmpl")
	if err != nil {
		r.err = err
		return ""
	}
	text, err := fill(strings.ReplaceAll(string(content), "\r\n", "\n"), r.values)
	if err != nil {
		r.err = fmt.Errorf("%s: %w", name, err)
	}
	return text
}
