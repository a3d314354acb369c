package setup

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestSecretOfEditedFile checks that setup prints no line that a person wrote
// into a file, because the line may hold a password.
func TestSecretOfEditedFile(t *testing.T) {
	const secret = "hunter2"
	for name, addition := range map[string]string{
		"livekit.yaml": "keys:\n  devkey: " + secret + "\n",
		"compose.yaml": "      LIVEKIT_REDIS_PASSWORD: " + secret + "\n",
		envFile: "LIVEKIT_REDIS_PASSWORD=" + secret + "\n" +
			"LIVEKIT_REDIS_URL=redis://:" + secret + "@s1:26379/0?master_name=mymaster&addr=s2:26379\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.run(exitOK)
			l.write(name, l.read(name)+addition)
			for _, flags := range [][]string{{"--turn", "--base-url", "https://other.example.org"}, {"--force"}} {
				l.run(exitOK, flags...)
				if strings.Contains(l.out+l.err, secret) {
					t.Errorf("setup %q after an edit of %s: got\n%s\nwant no secret in it", flags, name, l.out+l.err)
				}
				if name != envFile || slices.Contains(flags, "--force") { // without --force, setup merges the edited .env
					l.says(l.out, "- lines of the edited file, not shown: ")
				}
			}
		})
	}
}

// TestEditedProposal checks a NAME.new that a person edited. setup must save
// this file before it writes the next NAME.new. It must not save a NAME.new
// that nobody edited.
func TestEditedProposal(t *testing.T) {
	for _, name := range []string{"livekit.yaml", "compose.yaml"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.run(exitOK)
			l.write(name, l.read(name)+"# mine\n")
			l.run(exitOK, "--turn")
			l.run(exitOK, "--turn", "--udp-range", "21000-21100")
			if _, err := os.Lstat(l.path(name + ".new.bak")); err == nil {
				t.Errorf("%s.new was written by setup, but has a backup, want none", name)
			}
			const edited = "# mine, half merged\n"
			l.write(name+".new", edited)
			l.run(exitOK, "--udp-range", "22000-22100")
			l.says(l.out, name+".new", "replaced", name+".new.bak")
			if got := l.read(name + ".new.bak"); got != edited || l.read(name+".new") == edited {
				t.Errorf("%s.new.bak: got %q, want %q, and another text in %s.new", name, got, edited, name)
			}
		})
	}
}

// TestBackupStaysClosed checks that other users cannot read the backup of an
// edited file if they could not read the file itself. The file may hold
// passwords.
func TestBackupStaysClosed(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	l.write("livekit.yaml", "keys: {devkey: hunter2}\n")
	if err := os.Chmod(l.path("livekit.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(exitOK, "--force")
	if got := l.mode("livekit.yaml.bak"); got != 0o600 {
		t.Errorf("livekit.yaml.bak: got mode %o, want 600", got)
	}
}

// TestContainersCanRead checks a livekit.yaml that only its owner can read.
// setup makes the file readable for the containers' users, unless a person
// edited it.
func TestContainersCanRead(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	for _, c := range []struct {
		addition string
		want     os.FileMode
	}{
		{"", 0o644},
		{"keys: {devkey: hunter2}\n", 0o600},
	} {
		l.write("livekit.yaml", l.read("livekit.yaml")+c.addition)
		if err := os.Chmod(l.path("livekit.yaml"), 0o600); err != nil {
			t.Fatal(err)
		}
		l.run(exitOK)
		if got := l.mode("livekit.yaml"); got != c.want {
			t.Errorf("with %q: mode %o, want %o", c.addition, got, c.want)
		}
		if closed := c.want != 0o644; strings.Contains(l.out, "chmod 644") != closed {
			t.Errorf("with %q: got\n%s\nwant \"chmod 644\" in it: %v", c.addition, l.out, closed)
		}
	}
	l.says(l.out, "mode is 600", "container", "no secret")
	l.says(l.out, "chmod 644 livekit.yaml")
	if err := os.Chmod(l.path("livekit.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	l.run(exitOK)
	if strings.Contains(l.out, "chmod 644") {
		t.Errorf("livekit.yaml has mode 644: got\n%s\nwant no \"chmod 644\" in it", l.out)
	}
}
