package setup

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestSecondRun checks that a second run changes only what the flags change,
// and says what it changed. It keeps the API secret unless --new-secrets is given.
func TestSecondRun(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	before := l.snapshot()
	l.run(exitOK)
	if !maps.Equal(before, l.snapshot()) || strings.Contains(l.out, "new\n") || strings.Count(l.out, " unchanged\n") != 12 {
		t.Errorf("setup with the same flags: got\n%s\nwant 12 files, all unchanged", l.out)
	}

	l.run(exitOK, "--jwt-port", "8090")
	l.says(l.out, "compose.yaml", "updated")
	l.says(l.out, `- `, `"127.0.0.1:8080:8080/tcp"`)
	l.says(l.out, `+ `, `"127.0.0.1:8090:8080/tcp"`)
	l.says(l.out, "livekit.yaml", "unchanged")
	if l.read(envFile) != before[envFile] {
		t.Errorf("setup --jwt-port 8090: got another .env, want the secret kept")
	}

	l.run(exitOK, "--jwt-port", "8090", "--new-secrets")
	l.says(l.out, "changed: LIVEKIT_SECRET")
	secret := l.env()["LIVEKIT_SECRET"]
	if l.read(envFile) == before[envFile] || strings.Contains(l.out+l.err, secret) || len(secret) != 64 {
		t.Errorf("setup --new-secrets: got a secret of %d characters (%q) and\n%s\nwant a new one of 64, not printed", len(secret), secret, l.out+l.err)
	}
}

func (l *lab) snapshot() map[string]string {
	files := map[string]string{}
	for _, name := range l.list() {
		files[name] = l.read(name)
	}
	return files
}

// TestWhatIsLeftAfterAChange checks that a second run says how to restart the
// containers, because Docker does not restart a container for a changed
// livekit.yaml.
func TestWhatIsLeftAfterAChange(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	for _, flags := range [][]string{{"--turn"}, {"--turn", "--new-secrets"}} {
		l.run(exitOK, flags...)
		l.says(l.out, "Action → Stop", "Action → Build")
		l.says(l.out, "docker compose up -d --force-recreate")
	}
	l.run(exitOK, "--turn")
	l.says(l.out, "Nothing has changed.")
	if strings.Contains(l.out, "recreate") {
		t.Errorf("setup without a change: got\n%s\nwant no restart", l.out)
	}
}

// TestHalfARun checks a run that failed after it wrote some files. The next run
// must not think that a person edited these files.
func TestHalfARun(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	dir, err := openFolder(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	const newer = "services: {}\n"
	u, err := newUpdate(dir, []file{{name: "compose.yaml", content: newer}, {name: "gone/ports.md", content: "x"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.apply(); err == nil || l.read("compose.yaml") != newer {
		t.Fatalf("apply with a file in a folder that is not there: got %v and compose.yaml = %q, want an error after %q was written", err, l.read("compose.yaml"), newer)
	}
	l.run(exitOK)
	l.says(l.out, "compose.yaml", "updated")
}

// TestKilledRun checks a run that was killed after it wrote some files. The
// next run must not think that a person edited these files. It must also remove
// half-written files, which may hold a secret.
func TestKilledRun(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	dir, err := openFolder(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	killed := func(content string, stage func(*update) error) {
		u, err := newUpdate(dir, []file{{name: "compose.yaml", content: content}}, false)
		if err := errors.Join(err, u.announce(), stage(u)); err != nil {
			t.Fatal(err)
		}
	}
	killed("services: {}\n", func(u *update) error { return u.do(u.steps[0]) })
	killed("services: []\n", func(*update) error { return nil })
	half := []string{"..env.ABCDEFGHIJKLMNOPQRSTUVWXYZ", "..setup-sums.ABCDEFGHIJKLMNOPQRSTUVWX22", ".ports.md.new.ABCDEFGHIJKLMNOPQRSTUVWX77", "..env.bak2.ABCDEFGHIJKLMNOPQRSTUVWX77"}
	others := []string{".notes.ABCDEFGHIJKLMNOPQRSTUVWXYZ", "..env.mine", "..env.ABCDEFGHIJKLMNOPQRSTUVWXYZ0"}
	for _, name := range slices.Concat(half, others) {
		l.write(name, "LIVEKIT_SECRET=half")
	}
	l.run(exitOK)
	l.says(l.out, "compose.yaml", "updated")
	files := l.list()
	for _, name := range half {
		if slices.Contains(files, name) {
			t.Errorf("got the files %q, want no half-written %s", files, name)
		}
	}
	for _, name := range others {
		if !slices.Contains(files, name) {
			t.Errorf("got the files %q, want %s, which is not setup's, among them", files, name)
		}
	}
	if strings.Contains(l.read(sumsFile), newSuffix) {
		t.Errorf("%s: got\n%s\nwant no announced write after it is done", sumsFile, l.read(sumsFile))
	}
}

// TestEditedFileIsKept checks that setup keeps an edited file, and writes the
// new content as NAME.new. With --force it replaces the file, and saves the
// edited one as NAME.bak. The next backup is NAME.bak2.
func TestEditedFileIsKept(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	const edited = "# mine\n"
	l.write("livekit.yaml", edited)
	l.run(exitOK, "--turn")
	l.says(l.out, "livekit.yaml", "kept", "livekit.yaml.new")
	proposal := l.read("livekit.yaml.new")
	if l.read("livekit.yaml") != edited || !strings.Contains(proposal, "udp_port: 3478") {
		t.Fatalf("setup --turn: got livekit.yaml = %q and the proposal %q, want %q and udp_port: 3478 in the second", l.read("livekit.yaml"), proposal, edited)
	}

	l.run(exitOK, "--turn", "--force")
	l.says(l.out, "livekit.yaml", "replaced", "livekit.yaml.bak")
	if l.read("livekit.yaml") != proposal || l.read("livekit.yaml.bak") != edited {
		t.Errorf("setup --force: got livekit.yaml = %q and livekit.yaml.bak = %q, want %q and %q", l.read("livekit.yaml"), l.read("livekit.yaml.bak"), proposal, edited)
	}
	if slices.Contains(l.list(), "livekit.yaml.new") {
		t.Errorf("setup --force: got the files %q, want no livekit.yaml.new", l.list())
	}

	l.write("livekit.yaml", "# mine, later\n")
	l.run(exitOK, "--turn", "--force")
	if l.read("livekit.yaml.bak") != edited || l.read("livekit.yaml.bak2") != "# mine, later\n" {
		t.Errorf("setup --force again: got livekit.yaml.bak = %q and livekit.yaml.bak2 = %q, want %q and the later text", l.read("livekit.yaml.bak"), l.read("livekit.yaml.bak2"), edited)
	}
}

// TestProposalTakenOver checks a file that a person has replaced by NAME.new.
// The next run must not think that a person edited the file.
func TestProposalTakenOver(t *testing.T) {
	l := newLab(t)
	l.write("compose.yaml", "services: {}\n")
	l.run(exitOK)
	l.says(l.out, "compose.yaml", "kept")
	if err := os.Rename(l.path("compose.yaml.new"), l.path("compose.yaml")); err != nil {
		t.Fatal(err)
	}
	l.run(exitOK, "--turn")
	l.says(l.out, "compose.yaml", "updated")
}

// TestEnvByHand checks a .env that a person wrote. The files that setup writes must
// use the secrets of this .env. setup must add the lines that the .env lacks, and
// make it unreadable for other users.
func TestEnvByHand(t *testing.T) {
	l := newLab(t)
	const secret = "a-secret-of-somebody-else-with-40-letters"
	const theirs = "export LIVEKIT_KEY='devkey'\nLIVEKIT_SECRET=\"" + secret + "\"\nLIVEKIT_LOG_LEVEL=debug\n"
	l.write(envFile, theirs)
	l.run(exitOK)
	l.says(l.out, ".env", "your lines stay")
	l.says(l.out, "changed: LIVEKIT_URL")
	if strings.Contains(l.out+l.err, secret) {
		t.Errorf("the secret is printed: got %s, want no %q in it", l.out+l.err, secret)
	}
	if got := l.env(); !strings.HasPrefix(l.read(envFile), theirs) || got["LIVEKIT_SECRET"] != secret || got["LIVEKIT_URL"] != "wss://sfu.example.org" {
		t.Errorf(".env: got\n%s\nwant the person's lines first, their secret and the URL of sfu.example.org", l.read(envFile))
	}
	if !strings.Contains(l.read("livekit.yaml"), `api_key: "devkey"`) {
		t.Errorf("livekit.yaml: got\n%s\nwant api_key: \"devkey\"", l.read("livekit.yaml"))
	}
	l.run(exitOK, "--force")
	for _, name := range []string{envFile, ".env.bak"} {
		if got := l.mode(name); got != 0o600 {
			t.Errorf("%s: got mode %o, want 600", name, got)
		}
	}
}

// TestEnvThatCannotBeKept checks that setup refuses a .env that it cannot use.
// It neither guesses nor prints secrets, and writes nothing.
func TestEnvThatCannotBeKept(t *testing.T) {
	for name, content := range map[string]string{
		"short":      "LIVEKIT_SECRET=hunter2-hunter2\n",
		"variable":   "LIVEKIT_SECRET=hunter2${OTHER}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
		"open quote": "LIVEKIT_SECRET='hunter2\n",
		"no pair":    "hunter2\n",
		"key":        "LIVEKIT_KEY=hunter2 hunter2\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.write(envFile, content)
			l.run(exitFaults)
			l.says(l.err, ".env: ")
			if strings.Contains(l.out+l.err, "hunter2") || len(l.list()) != 1 {
				t.Errorf("got the files %q and\n%s\nwant the one file that was there, and no secret printed", l.list(), l.out+l.err)
			}
		})
	}
	l := newLab(t)
	l.write(envFile, "LIVEKIT_SECRET=hunter2\n")
	l.run(exitOK, "--new-secrets", "--force")
	if got := l.env()["LIVEKIT_SECRET"]; len(got) != 64 {
		t.Errorf("LIVEKIT_SECRET: got %d characters, want 64", len(got))
	}
}

// TestRenewedCertificate checks that a second run copies a renewed certificate
// and its key, and prints no part of the key. A line of the key may look like
// NAME=value. setup prints the names of changed variables, and must not print
// such a line as one of them.
func TestRenewedCertificate(t *testing.T) {
	l := newLab(t)
	cert, key := writeCertificate(t, "turn.example.org", tomorrow())
	flags := []string{"--turn-tls", "turn.example.org", "--turn-cert", cert, "--turn-key", key}
	l.run(exitOK, flags...)
	old := l.read(keyFile)
	content, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, append(content, "AAAA=BBBB==\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(exitOK, flags...)
	l.says(l.out, keyFile, "updated")
	if l.read(keyFile) == old || strings.Contains(l.out+l.err, "AAAA") {
		t.Errorf("setup with a new key: got\n%s\nwant the key replaced, and no part of it printed", l.out+l.err)
	}
}
