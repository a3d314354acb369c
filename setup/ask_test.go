package setup

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQuestions answers all questions at a terminal. Some answers are wrong at
// first. An empty line accepts the proposed answer.
func TestQuestions(t *testing.T) {
	l := newLab(t)
	answers := strings.Join([]string{
		l.dir,
		"@alice:example.org", "example.org", // server name
		"maybe", "", // whether one host serves both programs
		"", "livekit.example.org", // the host names of this service and of LiveKit
		"https://matrix.example.org",                                // base URL
		"http://127.0.0.1:8008", "http://host.docker.internal:8008", // the homeserver's URL for the container
		"yes", // whether LiveKit offers TURN
		"",    // no image
	}, "\n") + "\n"
	out, faults := l.talk(t.Context(), exitOK, strings.NewReader(answers))
	for _, words := range []string{"[jwt.example.org]", "[sfu.example.org]", "write example.org", "is the address of the container itself", "answer y or n", "(Enter: under its public name)"} {
		if !strings.Contains(faults, words) {
			t.Errorf("setup says:\n%s\nwant %q in it", faults, words)
		}
	}
	if strings.Contains(out, "?") || !strings.Contains(l.read("livekit.yaml"), "udp_port: 3478") {
		t.Errorf("got the result\n%s\nand livekit.yaml\n%s\nwant no question in the first, udp_port: 3478 in the second", out, l.read("livekit.yaml"))
	}
	if got := l.env(); got["LIVEKIT_URL"] != "wss://livekit.example.org" || got["LIVEKIT_CS_API_URL_OVERRIDES"] != "example.org=http://host.docker.internal:8008" {
		t.Errorf(".env: got %v, want LIVEKIT_URL at livekit.example.org and the override of example.org", got)
	}
}

// TestNoneIsAnAnswer checks that the answer none means the same as an empty
// answer, if the question allows an empty answer.
func TestNoneIsAnAnswer(t *testing.T) {
	l := newLab(t)
	in := strings.NewReader(l.dir + "\nexample.org\n\n\n\n\nnone\n\n\n")
	_, faults := l.talk(t.Context(), exitOK, in)
	if got := l.answers()["homeserver-url"]; got != "" {
		t.Errorf("homeserver-url is %q, want none\n%s", got, faults)
	}
}

// talk runs setup without flags at a terminal.
func (l *lab) talk(ctx context.Context, want int, in io.Reader) (out, faults string) {
	l.t.Helper()
	var o, e bytes.Buffer
	if got := execute(ctx, nil, streams{In: in, Out: &o, Err: &e, Terminal: true}); got != want {
		l.t.Fatalf("exit code %d, want %d\n%s%s", got, want, o.String(), e.String())
	}
	return o.String(), e.String()
}

// TestFaultyFlagIsNotAskedAround checks that setup reports a wrong flag before
// it asks any question.
func TestFaultyFlagIsNotAskedAround(t *testing.T) {
	for _, args := range [][]string{{"--jwt-host", "https://jwt.example.org/"}, {"--turn-cert", "cert.pem"}, {"--udp-range", "1-2"}} {
		t.Run(args[0], func(t *testing.T) {
			l := newLab(t)
			var out, said bytes.Buffer
			if got := execute(t.Context(), args, streams{In: strings.NewReader(""), Out: &out, Err: &said, Terminal: true}); got != exitUsage {
				t.Errorf("setup %q: got exit code %d, want %d", args, got, exitUsage)
			}
			l.says(said.String(), "matrixrtc-auth setup:", args[0])
			if strings.Contains(said.String(), "Server name") || strings.Contains(said.String(), "is missing") && args[0] != "--turn-cert" {
				t.Errorf("setup %q: got\n%s\nwant no question, and no word of a missing answer that it could ask for", args, said.String())
			}
		})
	}
}

// TestAnswersThatDoNotGoTogether checks that setup immediately refuses a name
// that contradicts an earlier answer.
func TestAnswersThatDoNotGoTogether(t *testing.T) {
	l := newLab(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	answers := []string{file, l.dir, "example.org", "n", "Example.org", "", "jwt.example.org", "", "", "", "n", ""}
	_, said := l.talk(t.Context(), exitOK, strings.NewReader(strings.Join(answers, "\n")+"\n"))
	l.says(said, "is the server name", "jwt.example.org")
	l.says(said, "already the host name of this service")
	l.says(said, "not a folder")
}

// TestSingleHostIsAskedFor checks that setup asks for the name of the single
// host if the person wants one.
func TestSingleHostIsAskedFor(t *testing.T) {
	l := newLab(t)
	l.talk(t.Context(), exitOK, strings.NewReader(l.dir+"\nexample.org\ny\n\n\n\n\n\n"))
	if got := l.env()["LIVEKIT_URL"]; got != "wss://matrix.example.org/livekit/sfu" {
		t.Errorf("LIVEKIT_URL: got %s, want wss://matrix.example.org/livekit/sfu", got)
	}
}

// TestNoAnswerIsAskedTwice checks that setup asks no question that a flag has
// answered, not even if the flag is --turn=false.
func TestNoAnswerIsAskedTwice(t *testing.T) {
	l := newLab(t)
	args := append([]string{
		"--turn=false", "--image-arch", "none", "--dir", l.dir, "--base-url", "https://example.org", "--homeserver-url", "http://synapse:8008",
	}, names...)
	var out, questions bytes.Buffer
	if got := execute(t.Context(), args, streams{In: strings.NewReader(""), Out: &out, Err: &questions, Terminal: true}); got != exitOK {
		t.Errorf("setup %q: got exit code %d, want %d", args, got, exitOK)
	}
	if questions.Len() > 0 {
		t.Errorf("setup %q: got the questions\n%s\nwant none", args, questions.String())
	}
}

// TestNobodyAnswers checks the errors if the input ends, if no answer is valid,
// and if setup is interrupted.
func TestNobodyAnswers(t *testing.T) {
	l := newLab(t)
	_, faults := l.talk(t.Context(), exitUsage, strings.NewReader(l.dir+"\nexample.org\n"))
	l.says(faults, "the input ended")
	_, faults = l.talk(t.Context(), exitUsage, strings.NewReader(l.dir+"\n"+strings.Repeat("no server\n", 20)))
	l.says(faults, "none of the answers was valid")

	silent, mouth := io.Pipe()
	defer mouth.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, faults = l.talk(ctx, exitUsage, silent)
	l.says(faults, "interrupted")
}

// TestNoFolder checks the error if setup cannot make the folder.
func TestNoFolder(t *testing.T) {
	l := newLab(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(exitUsage, "--dir", filepath.Join(file, "sub"))
	l.says(l.err, "--dir: ")
}
