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
// and says so. Above all it keeps the secret.
func TestSecondRun(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	before := l.snapshot()
	l.run(exitOK)
	if !maps.Equal(before, l.snapshot()) || strings.Contains(l.out, "new\n") || strings.Count(l.out, " unchanged\n") != 12 {
		t.Errorf("a second run with the same flags changes something:\n%s", l.out)
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
		t.Errorf("nothing has changed, but the tasks say to restart:\n%s", l.out)
	}
}

// TestHalfARun checks that files which a failed run wrote count as setup's own
// in the next run.
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
		t.Fatalf("the run should have failed half-way: %v", err)
	}
	l.run(exitOK)
	l.says(l.out, "compose.yaml", "updated")
}

// TestKilledRun checks that files which a killed run wrote count as setup's own
// in the next run, and that the next run removes a half-written file, which may
// hold a secret.
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
			t.Errorf("%s still exists", name)
		}
	}
	for _, name := range others {
		if !slices.Contains(files, name) {
			t.Errorf("%s, which setup did not write, is deleted", name)
		}
	}
	if strings.Contains(l.read(sumsFile), newSuffix) {
		t.Errorf("the sums still say that files are being written:\n%s", l.read(sumsFile))
	}
}

// TestEditedFileIsKept follows an edited file. setup first keeps the file, and
// replaces it with --force. When the edits are in the new file, it counts as
// setup's own.
func TestEditedFileIsKept(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	const edited = "# mine\n"
	l.write("livekit.yaml", edited)
	l.run(exitOK, "--turn")
	l.says(l.out, "livekit.yaml", "kept", "livekit.yaml.new")
	proposal := l.read("livekit.yaml.new")
	if l.read("livekit.yaml") != edited || !strings.Contains(proposal, "udp_port: 3478") {
		t.Fatal("the edited file was changed, or the proposal does not have the new content")
	}

	l.run(exitOK, "--turn", "--force")
	l.says(l.out, "livekit.yaml", "replaced", "livekit.yaml.bak")
	if l.read("livekit.yaml") != proposal || l.read("livekit.yaml.bak") != edited {
		t.Error("--force did not replace the file, or the edited file has no backup")
	}
	if slices.Contains(l.list(), "livekit.yaml.new") {
		t.Error("the proposal still exists")
	}

	l.write("livekit.yaml", "# mine, later\n")
	l.run(exitOK, "--turn", "--force")
	if l.read("livekit.yaml.bak") != edited || l.read("livekit.yaml.bak2") != "# mine, later\n" {
		t.Error("an older backup is overwritten")
	}
}

// TestProposalTakenOver checks that a file counts as setup's own after a person
// has replaced it by NAME.new.
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

// TestEnvByHand checks that all files use the secrets of a .env that a person
// wrote, that the .env gets the lines that it lacks, and that nobody else may
// read it.
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
		t.Errorf("got the .env below, want the person's lines and those that it lacked:\n%s", l.read(envFile))
	}
	if !strings.Contains(l.read("livekit.yaml"), `api_key: "devkey"`) {
		t.Error("livekit.yaml has another key than .env")
	}
	l.run(exitOK, "--force")
	for _, name := range []string{envFile, ".env.bak"} {
		if got := l.mode(name); got != 0o600 {
			t.Errorf("%s has mode %o, want it readable for its owner only", name, got)
		}
	}
}

// TestEnvThatCannotBeKept checks that setup refuses a .env that it cannot read:
// it neither guesses nor prints secrets, and writes nothing.
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
				t.Errorf("setup printed the secret, or wrote files: %q\n%s", l.list(), l.err)
			}
		})
	}
	l := newLab(t)
	l.write(envFile, "LIVEKIT_SECRET=hunter2\n")
	l.run(exitOK, "--new-secrets", "--force")
	if got := l.env()["LIVEKIT_SECRET"]; len(got) != 64 {
		t.Errorf("the new secret has %d characters, want 64", len(got))
	}
}

// TestRenewedCertificate checks that a second run copies a renewed certificate
// and its key, and prints nothing of the key. Lines of a key contain '=', as
// those of .env do.
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
		t.Errorf("the folder still has the old key, or part of the new one is printed:\n%s", l.out)
	}
}
