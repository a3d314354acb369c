package setup

import (
	"maps"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestEarlierVersion checks a folder without answers.yaml, like one that setup
// 0.2.0 wrote. setup reads the answers from the other files.
func TestEarlierVersion(t *testing.T) {
	for name, args := range typical(t) {
		if strings.HasPrefix(name, "image-arch") {
			continue // setup 0.2.0 made no image
		}
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.only(exitOK, args...)
			want := l.answers()
			for name, value := range want { // the files other than answersFile have the values in this form
				want[name] = strings.TrimRight(strings.ToLower(value), "/")
			}
			if want["turn-cert"] != "" {
				want["turn-cert"], want["turn-key"] = certFile, keyFile
			}
			if want["base-url"] == "" {
				want["base-url"] = presetBaseURL(want["server-name"], want["single-host"])
			}
			l.remove(answersFile)
			before := l.snapshot()
			l.only(exitOK, "--yes")
			l.says(l.err, "note:", answersFile, "server-name example.org (.env)")
			if got := l.answers(); !maps.Equal(got, want) {
				t.Errorf("the answers are\n%v, want\n%v", got, want)
			}
			after := l.snapshot()
			delete(after, answersFile)
			delete(after, sumsFile)
			delete(before, sumsFile)
			if !maps.Equal(before, after) {
				t.Errorf("got other files, want the same ones beside %s and %s; it says:\n%s", answersFile, sumsFile, l.out)
			}
		})
	}
}

// TestLostAnswers checks that setup asks for answers that no file contains any
// more, or demands them as options. It does not guess them.
func TestLostAnswers(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--turn", "--jwt-port", "8090")
	for _, name := range []string{answersFile, sfuFile, "compose.yaml"} {
		l.remove(name)
	}
	before := l.snapshot()
	l.only(exitUsage, "--yes")
	for _, words := range []string{"--turn: setup no longer knows this answer", "--jwt-port: setup no longer knows this answer", "--appservice=false", "--turn-tls: setup no longer knows this answer"} {
		l.says(l.err, words)
	}
	l.unchanged(before)
	said := l.talkOf(exitOK, []string{"", "8090", "", "", "", "y", ""})
	l.says(said, "not known any more:", "jwt-port")
	if got := l.answers(); got["turn"] != "true" || got["jwt-port"] != "8090" || got["sfu-host"] != "sfu.example.org" {
		t.Errorf("got the answers %v, want turn = true, jwt-port = 8090, sfu-host = sfu.example.org", got)
	}
}

// written puts the files of an earlier version into the folder. They come from
// a golden file in testdata/earlier.
func (l *lab) written(name string) {
	l.t.Helper()
	archive, err := txtar.ParseFile("testdata/earlier/" + name)
	if err != nil {
		l.t.Fatal(err)
	}
	wrote := sums{}
	for _, f := range archive.Files {
		if f.Name == "stdout" || f.Name == "stderr" || f.Name == sumsFile {
			continue
		}
		content := strings.NewReplacer("(drawn)", strings.Repeat("5e", 32), ":VERSION", ":0.2.0").Replace(string(f.Data))
		l.write(f.Name, content)
		wrote[f.Name] = sumOf(content)
	}
	l.write(sumsFile, wrote.String())
}

// TestVersion020 checks that setup finds the answers in files that setup 0.2.0
// wrote. An option then changes one of the answers.
func TestVersion020(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"0.2.0-turn-tls.txtar": {
			"server-name": "example.org", "jwt-host": "jwt.example.org", "sfu-host": "sfu.example.org",
			"base-url": "https://matrix.example.org", "udp-range": "61000-61200", "jwt-port": "8090",
			"turn-tls": "turn.example.org", "turn-cert": certFile, "turn-key": keyFile, "turn": "true", "appservice": "true", "server-block": "false", "relay-range": presetRelay,
		},
		"0.2.0-single-host.txtar": {
			"server-name": "example.org", "single-host": "matrix.example.org", "base-url": "https://matrix.example.org",
			"homeserver-url": "http://host.docker.internal:8008", "udp-range": "20000-20200", "jwt-port": "8080",
			"image": "registry.example.org/matrixrtc-auth:0.2.0", "turn": "true", "appservice": "true", "server-block": "false", "relay-range": presetRelay,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.written(name)
			l.only(exitOK)
			l.says(l.out, "server-name", "example.org")
			l.only(exitOK, "--appservice")
			l.says(l.err, "note:", "known from other files", "turn yes (livekit.yaml)")
			if got := l.answers(); !maps.Equal(got, want) {
				t.Errorf("the answers are\n%v, want\n%v", got, want)
			}
			if l.env()["LIVEKIT_SECRET"] != strings.Repeat("5e", 32) {
				t.Errorf("LIVEKIT_SECRET: got %q, want the 32 times 5e of the old file", l.env()["LIVEKIT_SECRET"])
			}
			if strings.Contains(l.out, "kept") {
				t.Errorf("got\n%s\nwant no file kept: version 0.2.0 wrote them", l.out)
			}
		})
	}
}
