package setup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/matrix/matrixtest"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/config"
)

// registration parses the registration file in the folder.
func (l *lab) registration() appservice.Registration {
	l.t.Helper()
	r, err := appservice.ReadFile(l.path(registrationFile))
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

func (l *lab) hasRegistration() bool { return slices.Contains(l.list(), registrationFile) }

// checkURL checks the LiveKit URL that the homeserver gives to newer clients.
// The homeserver must give a URL only if it forwards the clients' token
// requests to this service.
func (l *lab) checkURL(url string) {
	l.t.Helper()
	want := ""
	if l.hasRegistration() {
		want = l.env()["LIVEKIT_URL"]
	}
	if url != want {
		l.t.Errorf("clients are told the SFU %q, want %q", url, want)
	}
}

// checkRegistration checks that the homeserver gets the settings of the
// application-service mode only if the folder has a registration file. It also
// checks that file.
func (l *lab) checkRegistration(files []string, features map[string]bool) {
	l.t.Helper()
	on := l.hasRegistration()
	if (len(files) == 1) != on || features["msc4502_enabled"] != on || features["msc4512_enabled"] != on || !features["msc4143_enabled"] {
		l.t.Errorf("with the registration (%v): the homeserver gets the files %q and the features %v, want them if and only if there is a registration", on, files, features)
	}
	if !on {
		return
	}
	if got := filepath.Base(files[0]); got != registrationFile {
		l.t.Errorf("the homeserver reads %s, want %s", got, registrationFile)
	}
	if got := l.mode(registrationFile); got != 0o640 {
		l.t.Errorf("the registration has mode %o, want 640", got)
	}
	if r := l.registration(); r.HasURL && r.URL != "" || len(r.ASToken.Reveal()) < 32 || len(r.HSToken.Reveal()) < 32 {
		l.t.Errorf("the registration has the url %q, or short tokens", r.URL)
	}
}

// TestAppServiceTokensStay checks that a second run keeps the tokens and names
// of the registration, even if a person edited the file. --new-secrets makes
// new tokens.
func TestAppServiceTokensStay(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--appservice")
	first := l.registration()
	l.run(exitOK, "--appservice")
	l.says(l.out, registrationFile, "unchanged")
	l.says(l.out, "Nothing has changed.")

	l.run(exitOK, "--appservice", "--appservice-url", "http://matrixrtc-auth:8080")
	l.says(l.out, registrationFile, "updated")
	if r := l.registration(); !r.ASToken.Equal(first.ASToken) || !r.HSToken.Equal(first.HSToken) || r.ProxyURL != "http://matrixrtc-auth:8080" {
		t.Errorf("got other tokens, or the address %q, want the old tokens and http://matrixrtc-auth:8080", r.ProxyURL)
	}

	edited := strings.Replace(l.read(registrationFile), "id: matrixrtc-auth\n", "id: mine\n", 1)
	l.write(registrationFile, edited)
	l.run(exitOK, "--appservice-url", "none")
	l.says(l.out, registrationFile, "kept", registrationFile+".new")
	proposal, err := appservice.ReadFile(l.path(registrationFile + ".new"))
	if err != nil || l.read(registrationFile) != edited || proposal.ID != "mine" || !proposal.ASToken.Equal(first.ASToken) {
		t.Errorf("the new file: got the id %q, %v, want \"mine\", the old tokens, and the edited file beside it", proposal.ID, err)
	}
	if got := l.mode(registrationFile + ".new"); got != 0o640 {
		t.Errorf("the new file: got the mode %o, want 640", got)
	}

	l.run(exitOK, "--appservice", "--new-secrets", "--force")
	if r := l.registration(); r.ASToken.Equal(first.ASToken) || r.HSToken.Equal(first.HSToken) {
		t.Error("--new-secrets: got an old token, want two new ones")
	}
	if got := l.registration().ID; got != "mine" {
		t.Errorf("--new-secrets: got the id %q, want mine: the homeserver keeps its queue by that", got)
	}
	l.says(l.out, registrationFile, "replaced", registrationFile+".bak")
	for _, token := range []string{first.ASToken.Reveal(), l.registration().ASToken.Reveal(), l.registration().HSToken.Reveal()} {
		if strings.Contains(l.out+l.err, token) {
			t.Errorf("a token is printed: got %s, want no %q in it", l.out+l.err, token)
		}
	}
}

// TestAppServiceIsLeft checks that a run without --appservice keeps the
// application-service mode. After --appservice=false setup writes nothing for
// the mode, and says that nothing uses the registration file now.
func TestAppServiceIsLeft(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--appservice")
	l.run(exitOK)
	l.says(l.out, registrationFile, "unchanged")
	l.run(exitOK, "--appservice=false")
	l.says(l.out, registrationFile, "nothing uses it now")
	for _, name := range []string{"compose.yaml", "homeserver-additions.yaml"} {
		if strings.Contains(l.read(name), registrationFile) {
			t.Errorf("%s: got a mention of the registration, want none", name)
		}
	}
}

// TestDamagedRegistration checks that setup never overwrites a registration
// file that it cannot read, because the file may hold the homeserver's tokens.
func TestDamagedRegistration(t *testing.T) {
	for name, text := range map[string]string{"no YAML": "as_token: [", "a list": "- a\n", "too large": strings.Repeat("# much\n", 10_000)} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.write(registrationFile, text)
			l.run(exitFaults, "--appservice")
			l.says(l.err, registrationFile, "move it away")
			if l.read(registrationFile) != text || len(l.list()) != 1 {
				t.Errorf("got the files %q, want %s alone, as it was", l.list(), registrationFile)
			}
		})
	}
}

// TestRegistrationGroupStays checks that the registration file keeps its group
// when setup writes the file again. The group lets the container read the file.
func TestRegistrationGroupStays(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--appservice")
	group := 65532
	if os.Chown(l.path(registrationFile), -1, group) != nil {
		group = os.Getgid() // only root may set another group
	}
	l.run(exitOK, "--appservice", "--appservice-url", "http://matrixrtc-auth:8080")
	l.says(l.out, registrationFile, "updated")
	if got := groupOf(t, l.path(registrationFile)); got != group {
		t.Errorf("the file's group: got %d, want %d", got, group)
	}
}

// TestHostileAppServiceNames checks that setup writes unusual, but valid server
// names unchanged into every file.
func TestHostileAppServiceNames(t *testing.T) {
	for _, server := range []string{"[2001:db8::1]:8448", "1.2.3.4", "xn--bcher-kva.example:1", "A-.-b", "0"} {
		t.Run(server, func(t *testing.T) {
			l := newLab(t)
			l.run(exitOK, "--appservice", "--server-name", server, "--base-url", "https://matrix.example.org")
			l.setenv()
			if _, _, err := config.Load(); err != nil {
				t.Errorf("the service: got %v, want no error", err)
			}
			l.checkMounts()
			l.checkAgreement()
			for _, finding := range l.registration().Lint(matrixtest.ServerName(t, server)) {
				t.Errorf("the registration: got %s, want no finding", finding)
			}
			if got := parseYAML[deployment](l, "compose.yaml").Services["matrixrtc-auth"].Environment["LIVEKIT_HS_SERVER_NAME"]; got != server {
				t.Errorf("LIVEKIT_HS_SERVER_NAME: got %s, want %s", got, server)
			}
		})
	}
}
