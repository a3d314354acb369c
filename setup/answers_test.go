package setup

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// lab.only is the same as run, but adds no flag except --dir.
func (l *lab) only(want int, flags ...string) {
	l.t.Helper()
	l.exec(want, slices.Concat([]string{"--dir", l.dir}, flags)...)
}

// answers returns the answers in the folder's file answers.yaml, which setup uses in
// its next run.
func (l *lab) answers() map[string]string {
	l.t.Helper()
	values, _, err := parseAnswers(l.read(answersFile))
	if err != nil {
		l.t.Fatal(err)
	}
	return values
}

// TestOnlyWhatIsSaidChanges checks that an option changes its own answer, and
// removes answers that contradict the new answer. All other answers must stay.
func TestOnlyWhatIsSaidChanges(t *testing.T) {
	for _, c := range []struct {
		first, then []string
		want        map[string]string // the answers that the second run changes; "" for a removed answer
	}{
		{[]string{"--turn", "--appservice"}, []string{"--jwt-port", "8090"}, map[string]string{"jwt-port": "8090"}},
		{[]string{"--turn"}, []string{"--turn=false"}, map[string]string{"turn": "false"}},
		{[]string{"--homeserver-url", "http://a:1", "--udp-range", "21000-21100"}, []string{"--turn"}, map[string]string{"turn": "true"}},
		{[]string{"--homeserver-url", "http://a:1"}, []string{"--homeserver-url", "none"}, map[string]string{"homeserver-url": ""}},
		{[]string{"--appservice", "--appservice-url", "http://a:1"}, []string{"--appservice=false"}, map[string]string{"appservice": "false", "appservice-url": ""}},
		{nil, []string{"--single-host", "m.example.org"}, map[string]string{"single-host": "m.example.org", "jwt-host": "", "sfu-host": ""}},
		{[]string{"--image", "a/b:1"}, []string{"--new-secrets"}, nil},
		{[]string{"--image", "a/b:1"}, []string{"--image", "none"}, map[string]string{"image": ""}},
		{[]string{"--turn-tls", "turn.example.org"}, []string{"--yes"}, nil},
	} {
		t.Run(strings.Join(slices.Concat(c.first, c.then), " "), func(t *testing.T) {
			l := newLab(t)
			l.run(exitOK, c.first...)
			want := l.answers()
			l.only(exitOK, c.then...)
			for name, value := range c.want {
				want[name] = value
				if value == "" {
					delete(want, name)
				}
			}
			if got := l.answers(); !maps.Equal(got, want) {
				t.Errorf("setup %q after %q: the answers are\n%v, want\n%v", c.then, c.first, got, want)
			}
			before := l.snapshot()
			l.only(exitOK, "--yes")
			if !maps.Equal(before, l.snapshot()) {
				t.Errorf("setup --yes with the same answers: got other files, want the same ones; it says:\n%s", l.out)
			}
		})
	}
}

// TestSilenceIsNoAnswer checks that setup refuses an option with an empty
// value, and switches nothing off. A script passes an empty value by mistake if
// a variable of the script is unset.
func TestSilenceIsNoAnswer(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--homeserver-url", "http://a:1")
	before := l.snapshot()
	l.only(exitUsage, "--homeserver-url", "", "--jwt-port", "")
	l.says(l.err, "--homeserver-url is empty", "none")
	l.says(l.err, "--jwt-port is empty")
	if !maps.Equal(before, l.snapshot()) {
		t.Errorf("setup with two empty flags: got the files %v, want %v", l.snapshot(), before)
	}
}

// TestNobodyToAsk checks setup with only --dir if there is nobody to ask. setup
// shows the answers and changes nothing.
func TestNobodyToAsk(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--turn")
	before := l.snapshot()
	l.only(exitOK)
	l.says(l.out, "sfu-host", "sfu.example.org")
	l.says(l.out, "turn ", "yes")
	l.says(l.out, "Nothing has been changed.")
	l.says(l.out, "--yes")
	if !maps.Equal(before, l.snapshot()) {
		t.Errorf("setup without --yes: got the files %v, want %v", l.snapshot(), before)
	}
}

// talkOf runs setup for the folder at a terminal, at which a person types
// answers.
func (l *lab) talkOf(want int, answers []string, flags ...string) (said string) {
	l.t.Helper()
	var out, faults bytes.Buffer
	in := strings.NewReader(strings.Join(answers, "\n") + "\n")
	args := slices.Concat([]string{"--dir", l.dir}, flags)
	got := execute(l.t.Context(), args, streams{In: in, Out: &out, Err: &faults, Terminal: true})
	l.out, l.err = out.String(), faults.String()
	if got != want {
		l.t.Fatalf("exit code %d, want %d\n%s%s", got, want, l.out, l.err)
	}
	return l.err
}

// TestChangesAreAskedFor checks that setup at a terminal shows the old answers.
// The person picks the answers to change, and setup asks for these again. Each
// question has the old answer as its default.
func TestChangesAreAskedFor(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--homeserver-url", "http://a:1", "--appservice", "--appservice-url", "http://b:2")
	want := l.answers()
	said := l.talkOf(exitOK, []string{
		"99", "turn jwt-port,homeserver-url", // there is no answer 99; the next text names three answers
		"y", "x", "8090", "none",
		"--appservice, base-url", "n", "https://matrix.example.org",
		"sfu-host", "", // Enter keeps the old answer
		"",
	})
	l.says(said, `no answer with the name or number "99"`)
	l.says(said, "[8080]", "not a port") // setup refuses the port x, and asks again
	l.says(said, "[sfu.example.org]")
	want["turn"], want["jwt-port"], want["appservice"], want["base-url"] = "true", "8090", "false", "https://matrix.example.org"
	delete(want, "homeserver-url")
	delete(want, "appservice-url")
	if got := l.answers(); !maps.Equal(got, want) {
		t.Errorf("the answers are\n%v, want\n%v", got, want)
	}
	l.says(l.out, "+ jwt-port: 8090")

	before := l.snapshot()
	l.talkOf(exitOK, []string{""})
	if !maps.Equal(before, l.snapshot()) {
		t.Errorf("setup without a changed answer: got other files, want the same ones; it says:\n%s", l.out)
	}
	if said := l.talkOf(exitOK, nil, "--turn=false"); strings.Contains(said, "Change which") {
		t.Errorf("setup --turn=false asks, want no question beside an option; got:\n%s", said)
	}
}

func (l *lab) remove(name string) {
	l.t.Helper()
	if err := os.Remove(l.path(name)); err != nil {
		l.t.Fatal(err)
	}
}

// TestDamagedAnswers checks that setup stops if it cannot read or use
// answersFile. It neither guesses answers nor overwrites the file.
func TestDamagedAnswers(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--turn")
	whole := l.read(answersFile)
	for name, text := range map[string]string{
		"half a line":  whole[:len(whole)-3],
		"no YAML":      strings.Replace(whole, "turn: ", "turn ", 1),
		"a list":       strings.Replace(whole, "jwt-port: 8080", "jwt-port: [8080]", 1),
		"neither":      strings.Replace(whole, "turn: true", "turn: perhaps", 1),
		"a wrong port": strings.Replace(whole, "jwt-port: 8080", "jwt-port: 7880", 1),
	} {
		t.Run(name, func(t *testing.T) {
			l.write(answersFile, text)
			before := l.snapshot()
			want := exitFaults
			if name == "a wrong port" {
				want = exitUsage
			}
			l.only(want, "--jwt-host", "jwt2.example.org")
			if !maps.Equal(before, l.snapshot()) {
				t.Errorf("setup, %s: got the files %v, want %v", name, l.snapshot(), before)
			}
		})
	}
}

// TestRememberedCertificate checks that setup copies a renewed certificate from
// the path in the answers. If that path does not exist any more, the copies in
// the folder stay.
func TestRememberedCertificate(t *testing.T) {
	l := newLab(t)
	cert, key := writeCertificate(t, "turn.example.org", tomorrow())
	l.run(exitOK, "--turn-tls", "turn.example.org", "--turn-cert", cert, "--turn-key", key)
	old := l.read(certFile)
	newer, newerKey := writeCertificate(t, "turn.example.org", tomorrow())
	for from, to := range map[string]string{newer: cert, newerKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	l.only(exitOK, "--yes")
	l.says(l.out, certFile, "updated")
	renewed := l.read(certFile)
	if renewed == old {
		t.Errorf("the renewed certificate is not taken: got %v, want the new one", renewed)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	l.only(exitOK, "--yes")
	l.says(l.err, "note:", certFile, "stay as they are")
	if l.read(certFile) != renewed || l.answers()["turn-cert"] != cert {
		t.Errorf("got %s = %q and turn-cert = %q, want %q and %q", certFile, l.read(certFile), l.answers()["turn-cert"], renewed, cert)
	}
	l.only(exitUsage, "--turn-cert", cert)
	l.says(l.err, "--turn-cert:", "cannot be read")
}

// TestRememberedSource checks that the folder remembers the path of the source
// relative to the folder.
func TestRememberedSource(t *testing.T) {
	l := newLab(t)
	l.write("Dockerfile", "FROM scratch\n")
	l.run(exitOK, "--source", l.dir)
	l.only(exitOK, "--turn")
	if got := l.answers()["source"]; got != "." || !strings.Contains(l.read("compose.yaml"), "build: .\n") {
		t.Errorf("the source is %q, want the folder itself", got)
	}
	l.remove("Dockerfile")
	l.only(exitOK, "--turn=false")
	l.says(l.err, "note: the source", "no Dockerfile")
}

// TestAnswersAreText checks that answersFile keeps each value unchanged, even
// if YAML would read the value as a number, for example.
func TestAnswersAreText(t *testing.T) {
	for _, value := range []string{"[2001:db8::1]:8448", "example.org", "8080", "C:\\a b\\cert.pem", "a: b", "# x", "20000-20200", "0x10", "null", "~", "https://a:1/b"} {
		t.Run(fmt.Sprintf("%q", value), func(t *testing.T) {
			values, _, err := parseAnswers(answersText(map[string]string{"turn-cert": value, "turn": "true"}))
			if err != nil || values["turn-cert"] != value {
				t.Errorf("%q: got %q back (%v), want the same", value, values["turn-cert"], err)
			}
		})
	}
}

// TestFolderThatCannotBeRead checks that setup reports a folder that it cannot
// read. It does not say that answers are missing, because the folder may hold
// them.
func TestFolderThatCannotBeRead(t *testing.T) {
	l := newLab(t)
	if err := os.WriteFile(l.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.exec(exitFaults, "--dir", l.dir, "--yes")
	l.says(l.err, "the folder "+l.dir+" cannot be read", "not a directory")
	if strings.Contains(l.err, "missing") {
		t.Errorf("setup --dir of a file: got %q, want no word of missing answers", l.err)
	}
}
