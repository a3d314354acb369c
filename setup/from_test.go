package setup

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// deployments are old deployments that were made with other guides than this
// project's. The field secrets has all secrets in the deployment's files.
var deployments = map[string]struct {
	flags, secrets []string
	// kept means that setup takes over the secret of the API key. This secret
	// is the first one in secrets.
	kept bool
}{
	"guide":        {nil, []string{"not-so-secret-0123456789-abcdefghijklmn", "a-database-password", "a-registration-secret"}, true},
	"nginx":        {nil, []string{"0123456789abcdef0123456789abcdef0123", "fedcba9876543210fedcba9876543210fedc", "redis-password", "hook-password"}, true},
	"caddy":        {nil, nil, false},
	"traefik":      {nil, []string{"abcdefabcdefabcdefabcdefabcdefabcdefabcd"}, true},
	"host-network": {nil, []string{"0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "as-token-0123456789-0123456789-0123456789", "hs-token-0123456789-0123456789-0123456789"}, true},
}

// unpack writes the files of an archive of testdata/from into a new folder.
func unpack(t *testing.T, name string) (dir string, archive *txtar.Archive) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "from", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, f := range archive.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, archive
}

// TestTakeOver checks that one run takes a deployment over. The run changes no
// old file and prints no secret. The next run with the same answers changes
// nothing.
func TestTakeOver(t *testing.T) {
	for name, d := range deployments {
		t.Run(name, func(t *testing.T) {
			old, archive := unpack(t, name)
			l := newLab(t)
			args := append([]string{"--dir", l.dir, "--from", old}, d.flags...)
			l.exec(exitOK, args...)
			l.holdTaken(name, old)
			for _, f := range archive.Files {
				if got, err := os.ReadFile(filepath.Join(old, filepath.FromSlash(f.Name))); err != nil || string(got) != string(f.Data) {
					t.Errorf("%s of the old deployment: got %q, %v, want it as it was", f.Name, got, err)
				}
			}
			for _, secret := range d.secrets {
				for what, text := range map[string]string{"the output": l.out + l.err, takenFile: l.read(takenFile), stepsFile: l.read(stepsFile)} {
					if strings.Contains(text, secret) {
						t.Errorf("%s: got the text below, want no secret %s in it:\n%s", what, secret, text)
					}
				}
			}
			if got := l.env()["LIVEKIT_SECRET"]; d.kept != (len(d.secrets) > 0 && got == d.secrets[0]) || len(got) < 32 {
				t.Errorf("LIVEKIT_SECRET: got %q, want that of the old deployment: %v", got, d.kept)
			}
			before := l.snapshot()
			for _, again := range [][]string{{"--dir", l.dir, "--yes"}, append(args, "--yes")} {
				l.exec(exitOK, again...)
				if now := l.snapshot(); !maps.Equal(before, now) {
					t.Errorf("setup %q after the same: got other files, want the same ones; it says:\n%s", again, l.out)
				}
			}
		})
	}
}

// holdTaken compares the files that setup made from an old deployment with the
// golden file.
func (l *lab) holdTaken(name, old string) {
	l.t.Helper()
	all := l.archive()
	got := &txtar.Archive{}
	for _, f := range all.Files {
		if slices.Contains([]string{"stderr", answersFile, envFile, takenFile}, f.Name) {
			f.Data = []byte(strings.ReplaceAll(string(f.Data), old, "OLD"))
			got.Files = append(got.Files, f)
		}
	}
	holdFile(l.t, filepath.Join("testdata", "from", name+".golden"), got)
}

// put writes files into a new temporary folder, and returns the folder.
func put(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	oldService   = "LIVEKIT_URL=wss://sfu.example.org\nLIVEKIT_KEY=old\nLIVEKIT_SECRET=0123456789abcdef0123456789abcdef\nLIVEKIT_FULL_ACCESS_HOMESERVERS=example.org\n"
	oldWellKnown = `{"org.matrix.msc4143.rtc_foci": [{"type": "livekit", "livekit_service_url": "https://jwt.example.org"}]}`
	oldSynapse   = "server_name: example.org\nmatrix_rtc: {transports: [{type: livekit, livekit_service_url: 'https://calls.example.org'}]}\n"
)

// TestContradictions checks two old files that contradict each other. setup
// asks a person, or names both places if there is nobody to ask. If the command
// line sets the option that they contradict each other about (--jwt-host), setup
// uses that value.
func TestContradictions(t *testing.T) {
	old := put(t, map[string]string{"jwt.env": oldService, "client.json": oldWellKnown, "homeserver.yaml": oldSynapse})
	l := newLab(t)
	l.exec(exitUsage, "--dir", l.dir, "--from", old)
	l.says(l.err, "--jwt-host", "jwt.example.org (", "client.json, line 1", "calls.example.org (", "homeserver.yaml, line 2", "with the right value")
	if _, err := os.Stat(l.path(answersFile)); err == nil {
		t.Errorf("got %s, want nothing written", answersFile)
	}
	l.exec(exitOK, "--dir", l.dir, "--from", old, "--jwt-host", "calls.example.org")
	if got := l.answers()["jwt-host"]; got != "calls.example.org" {
		t.Errorf("jwt-host: got %q, want what the option says", got)
	}

	asked := newLab(t)
	said := asked.talkOf(exitOK, []string{"calls.example.org", "", "", "", "", ""}, "--from", old)
	asked.says(said, "The files contradict each other", "jwt.example.org", "calls.example.org")
	if got := asked.answers()["jwt-host"]; got != "calls.example.org" {
		t.Errorf("jwt-host: got %q, want what was answered\n%s", got, said)
	}
}

// TestAMixOfNames checks that setup refuses a deployment in which one program
// has a path below a shared host name, and the other program has its own host
// name.
func TestAMixOfNames(t *testing.T) {
	old := put(t, map[string]string{"jwt.env": oldService, "client.json": strings.ReplaceAll(oldWellKnown, "jwt.example.org", "matrix.example.org/livekit/jwt")})
	l := newLab(t)
	l.exec(exitUsage, "--dir", l.dir, "--from", old)
	l.says(l.err, "--single-host", "matrix.example.org", "sfu.example.org", "client.json", "jwt.env")
	l.exec(exitOK, "--dir", l.dir, "--from", old, "--single-host", "matrix.example.org")
	if got := l.answers(); got["single-host"] != "matrix.example.org" || got["sfu-host"] != "" {
		t.Errorf("got the answers %v, want the single host, and no sfu-host", got)
	}
}

// TestFolderAndFilesDiffer checks that setup refuses files of --from that
// contradict the folder. Such files never change an answer of the folder.
func TestFolderAndFilesDiffer(t *testing.T) {
	old := put(t, map[string]string{"jwt.env": oldService, "client.json": oldWellKnown})
	l := newLab(t)
	l.run(exitOK)
	before := l.snapshot()
	l.exec(exitFaults, "--dir", l.dir, "--from", old)
	l.says(l.err, envFile, "another API key or secret")
	l.exec(exitUsage, "--dir", l.dir, "--from", put(t, map[string]string{"jwt.env": strings.ReplaceAll(oldService, "sfu.", "media.")}))
	l.says(l.err, "--sfu-host", "media.example.org", "sfu.example.org", "give a new folder")
	l.unchanged(before)
}

// TestFilesThatCannotBeTaken checks the errors about files of --from that setup
// cannot use. An error names the file, but quotes no line of it.
func TestFilesThatCannotBeTaken(t *testing.T) {
	const secret = "a-secret-that-must-not-be-printed"
	for name, c := range map[string]struct{ file, content, want string }{
		"missing":   {"gone.yaml", "", "no such file"},
		"not YAML":  {"livekit.yaml", "keys:\n  a: b\n c: " + secret + "\n", "is not YAML"},
		"something": {"notes.txt", "my " + secret, "not a livekit.yaml, compose file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			if c.content != "" {
				path = filepath.Join(put(t, map[string]string{c.file: c.content}), c.file)
			}
			l := newLab(t)
			l.exec(exitUsage, "--dir", l.dir, "--from", path)
			l.says(l.err, "--from", c.file, c.want)
			if strings.Contains(l.err, secret) {
				t.Errorf("got the text below, want no secret in it:\n%s", l.err)
			}
		})
	}
	l := newLab(t)
	l.exec(exitUsage, "--dir", l.dir, "--from", t.TempDir())
	l.says(l.err, "--from", "no file of a deployment")
}

// TestFilesInTheFolder checks that setup refuses files of --from that are in
// the folder into which it writes.
func TestFilesInTheFolder(t *testing.T) {
	dir := put(t, map[string]string{".env": oldService})
	for _, from := range []string{dir, filepath.Join(dir, ".env"), filepath.Join(dir, "..", filepath.Base(dir))} {
		l := &lab{t: t, dir: dir}
		l.exec(exitUsage, "--dir", dir, "--from", from)
		l.says(l.err, "--from", ".env is in", "into which setup would write")
	}
}

// TestOwnVariablesStay checks that later runs keep the lines of .env that setup
// took over from an old deployment.
func TestOwnVariablesStay(t *testing.T) {
	old := put(t, map[string]string{"jwt.env": oldService + "LIVEKIT_LOG_LEVEL=debug\n", "client.json": oldWellKnown})
	l := newLab(t)
	l.exec(exitOK, "--dir", l.dir, "--from", old)
	l.exec(exitOK, "--dir", l.dir, "--turn", "--jwt-port", "8090")
	l.exec(exitOK, "--dir", l.dir, "--sfu-host", "livekit.example.org")
	l.exec(exitOK, "--dir", l.dir, "--from", put(t, map[string]string{"jwt.env": strings.ReplaceAll(oldService, "sfu.", "livekit.") + "LIVEKIT_TOKEN_TTL=2h\n"}))
	l.says(l.out, "Add LIVEKIT_TOKEN_TTL to .env", "jwt.env, line 5")
	if got := l.env(); got["LIVEKIT_LOG_LEVEL"] != "debug" || got["LIVEKIT_URL"] != "wss://livekit.example.org" {
		t.Errorf(".env: got %q and %q, want debug and wss://livekit.example.org", got["LIVEKIT_LOG_LEVEL"], got["LIVEKIT_URL"])
	}
}

// TestTakenPageGoes checks that the list of steps names taking-over.md only as
// long as that file exists.
func TestTakenPageGoes(t *testing.T) {
	old := put(t, map[string]string{"jwt.env": oldService, "client.json": oldWellKnown})
	l := newLab(t)
	l.exec(exitOK, "--dir", l.dir, "--from", old)
	if steps := l.read(stepsFile); !strings.Contains(steps, takenFile) || !strings.Contains(steps, "Stop the old LiveKit") || !strings.Contains(steps, "old lines for the same name or path") {
		t.Errorf("got the steps below, want %s in them, and that the old LiveKit is stopped:\n%s", takenFile, steps)
	}
	l.remove(takenFile)
	l.exec(exitOK, "--dir", l.dir, "--yes")
	if steps := l.read(stepsFile); strings.Contains(steps, takenFile) || strings.Contains(steps, "for the same name or path") {
		t.Errorf("got the steps below, want no %s in them:\n%s", takenFile, steps)
	}
}

// TestFilesOfAFolder checks files in the folder of --from that setup cannot
// parse. taking-over.md must name such a file. If the file surely belongs to
// the deployment, setup must stop with an error.
func TestFilesOfAFolder(t *testing.T) {
	files := map[string]string{"jwt.env": oldService, "client.json": oldWellKnown, "chart.yaml": "a: b\n c: {{ d }}\n"}
	l := newLab(t)
	l.exec(exitOK, "--dir", l.dir, "--from", put(t, files))
	l.says(l.read(takenFile), "**Change** a file that setup could not read", "chart.yaml", "is not YAML")

	files["docker-compose.yml"] = "services:\n  a: b\n c: d\n"
	l = newLab(t)
	l.exec(exitUsage, "--dir", l.dir, "--from", put(t, files))
	l.says(l.err, "docker-compose.yml", "is not YAML")
}

// TestDeploymentAroundTheFolder checks that setup does not read its own files
// if its folder is inside the folder of --from.
func TestDeploymentAroundTheFolder(t *testing.T) {
	old := put(t, map[string]string{"jwt.env": oldService, "client.json": oldWellKnown})
	l := &lab{t: t, dir: filepath.Join(old, "matrixrtc")}
	for range 2 {
		l.exec(exitOK, "--dir", l.dir, "--from", old)
	}
	if text := l.read(takenFile); strings.Contains(text, "matrixrtc/") {
		t.Errorf("got the text below, want none of setup's own files in it:\n%s", text)
	}
}

// TestGuessedBaseURL checks an old deployment in which no file has the
// base_url. setup guesses the base_url, and taking-over.md must name it.
func TestGuessedBaseURL(t *testing.T) {
	const named = "**Change** base_url in well-known-client.json"
	old := put(t, map[string]string{"jwt.env": oldService, "client.json": oldWellKnown})
	l := newLab(t)
	l.exec(exitOK, "--dir", l.dir, "--from", old)
	l.says(l.read(takenFile), named, "setup wrote https://example.org;")
	l = newLab(t)
	l.exec(exitOK, "--dir", l.dir, "--from", old, "--base-url", "https://matrix.example.org")
	if text := l.read(takenFile); strings.Contains(text, named) {
		t.Errorf("got the text below, want no %q in it, which was given:\n%s", named, text)
	}
}
