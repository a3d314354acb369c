package setup

import (
	"strings"
	"testing"
)

// TestSecretOfEditedFile checks that nothing of what somebody wrote into a file
// is printed, whatever becomes of the file: it may hold passwords.
func TestSecretOfEditedFile(t *testing.T) {
	const secret = "hunter2"
	for name, addition := range map[string]string{
		"livekit.yaml": "keys:\n  devkey: " + secret + "\n",
		"compose.yaml": "      LIVEKIT_REDIS_PASSWORD: " + secret + "\n",
		envFile:        "LIVEKIT_REDIS_PASSWORD=" + secret + "\n",
	} {
		l := newLab(t)
		l.run(exitOK)
		l.write(name, l.read(name)+addition)
		for _, flags := range [][]string{{"--turn", "--base-url", "https://other.example.org"}, {"--force"}} {
			l.run(exitOK, flags...)
			if strings.Contains(l.out+l.err, secret) {
				t.Errorf("%s, %q: the secret is printed:\n%s", name, flags, l.out)
			}
			l.says(l.out, "- lines of the edited file, not shown: ")
		}
	}
}
