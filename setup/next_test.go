package setup

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// steps returns the remaining tasks in the output, without line breaks.
func (l *lab) steps() string {
	_, list, _ := strings.Cut(l.out, "What is left to do")
	return strings.Join(strings.Fields(list), " ")
}

// TestOrderOfSteps checks the order of the steps. The service and LiveKit must
// answer before the homeserver and the well-known file announce them. The
// checks with doctor come after that.
func TestOrderOfSteps(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		order []string
	}{
		"standard": {nil, []string{
			"go run -C image", "nslookup jwt.example.org", "nc -vz sfu.example.org 443", "curl -i https://jwt.example.org`", "Upload the folder deployment",
			"docker compose up -d", "https://jwt.example.org/healthz` answers 200", "curl https://sfu.example.org` says OK", "doctor --only homeserver",
			"Add the lines of homeserver-additions.yaml", "Serve well-known-client.json", "exec matrixrtc-auth /matrixrtc-auth doctor ",
			"go run . doctor --outside --server-name example.org ", "docker run --rm matrixrtc-auth:", "test-link --public-url https://jwt.example.org",
		}},
		"other names": {[]string{"--sfu-host", "livekit.example.org"}, []string{
			"curl -i https://livekit.example.org`", "doctor --outside --server-name example.org --sfu-url wss://livekit.example.org",
		}},
		"appservice": {[]string{"--appservice"}, []string{
			"chgrp 65532 " + registrationFile, "docker compose up -d", "doctor --only homeserver", "add the lines of homeserver-additions.yaml", "application service: ready",
			`add the line "url:"`, "Serve well-known-client.json", "/matrixrtc-auth doctor",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.run(exitOK, c.flags...)
			for where, text := range map[string]string{"the output": l.steps(), stepsFile: strings.Join(strings.Fields(l.read(stepsFile)), " ")} {
				for _, step := range c.order {
					_, rest, found := strings.Cut(text, step)
					if !found {
						t.Errorf("setup %q, %s: got\n%s\nwant %q next", c.flags, where, text, step)
					}
					text = rest
				}
			}
		})
	}
}

// TestEveryStepHasACheck checks that each step says how the operator sees that
// the step is done.
func TestEveryStepHasACheck(t *testing.T) {
	standInGo(t, "an image")
	for name, args := range typical(t) {
		l := newLab(t)
		l.only(exitOK, args...)
		for _, text := range []string{l.out[strings.Index(l.out, "What is left"):], l.read(stepsFile)} {
			steps := len(numbered.FindAllString(text, -1))
			if checks := strings.Count(text, " Check: "); steps < 7 || checks != steps {
				t.Errorf("%s: got %d steps and %d checks, want 7 steps or more and a check of each:\n%s", name, steps, checks, text)
			}
		}
	}
}

// numbered matches the number at the beginning of a step.
var numbered = regexp.MustCompile(`(?m)^ *\d+\. `)

// TestProposalIsAStep checks that there is a step about each .new file. It is
// one of the first steps, and shows the lines that differ. The step stays until
// a person has removed the file.
func TestProposalIsAStep(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	l.write("livekit.yaml", "keys: {devkey: hunter2}\n"+l.read("livekit.yaml"))
	for _, flags := range [][]string{{"--turn"}, {"--yes"}} {
		l.only(exitOK, flags...)
		page := l.read(stepsFile)
		if !strings.HasPrefix(l.steps(), "(next-steps.md has it, too): 1. You edited livekit.yaml") {
			t.Errorf("setup %q: got\n%s\nwant the .new file as the first step", flags, l.out)
		}
		for _, words := range []string{"1.  You edited livekit.yaml", "diff livekit.yaml livekit.yaml.new", "+   udp_port: 3478", "ls livekit.yaml.new"} {
			if !strings.Contains(page, words) {
				t.Errorf("setup %q: got\n%s\nwant %q in it", flags, page, words)
			}
		}
		if strings.Contains(page+l.out, "hunter2") {
			t.Errorf("the output has a line that a person wrote: got %s, want no hunter2 in it", page+l.out)
		}
	}
	l.remove("livekit.yaml.new")
	l.only(exitOK, "--yes")
	if text := l.steps() + l.read(stepsFile); strings.Contains(text, "livekit.yaml.new") {
		t.Errorf("setup --yes after livekit.yaml.new is gone: got\n%s\nwant no word of it", text)
	}
}

// TestForgottenProposal checks that there is a step about a .new file that a
// person edited and that setup no longer needs.
func TestForgottenProposal(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	l.write(".env.new", "# half merged\n")
	l.only(exitOK, "--yes")
	if !strings.Contains(l.steps(), "1. You edited .env.new") || !slices.Contains(l.list(), ".env.new") {
		t.Errorf("setup --yes: got the files %q and\n%s\nwant .env.new there, and as the first step", l.list(), l.out)
	}
}

// TestConflictIsAStep checks that there is a step about each conflict. A
// conflict is a value that a person has changed, and that setup must change
// because of a new answer.
func TestConflictIsAStep(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	l.write(envFile, strings.Replace(l.read(envFile), "wss://sfu.example.org", "wss://mine.example.org", 1))
	l.only(exitOK, "--sfu-host", "livekit.example.org")
	for where, text := range map[string]string{"the output": l.out, stepsFile: l.read(stepsFile)} {
		if !strings.Contains(text, `LIVEKIT_URL in .env, but the answers now give "wss://livekit.example.org"`) || strings.Contains(text, "mine.example.org") {
			t.Errorf("%s: got\n%s\nwant the conflict of LIVEKIT_URL, without the person's value", where, text)
		}
	}
}

// TestTickedSteps checks a list of steps in which a person ticked a step. setup
// keeps this list. If the steps change, setup writes a new list beside it.
func TestTickedSteps(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	ticked := strings.Replace(l.read(stepsFile), "1. ", "1. (done)", 1)
	l.write(stepsFile, ticked)
	l.only(exitOK, "--yes")
	l.says(l.out, stepsFile, "yours")
	l.only(exitOK, "--appservice")
	if l.read(stepsFile) != ticked || !strings.Contains(l.steps(), "You edited next-steps.md") || !strings.Contains(l.read(stepsFile+".new"), "url:") {
		t.Errorf("setup --appservice after an edit of %s: got\n%s\nwant the edited file kept, and %[1]s.new as a step", stepsFile, l.out)
	}
}

// TestOneNameOneCertificate checks that a step speaks of one certificate if
// there is a single host name.
func TestOneNameOneCertificate(t *testing.T) {
	l := newLab(t)
	l.only(exitOK, "--server-name", "example.org", "--single-host", "m.example.org")
	if steps := l.steps(); !strings.Contains(steps, "point m.example.org to your public address, and get a certificate for it.") {
		t.Errorf("the steps: got %s, want one name and one certificate", steps)
	}
}

func TestWrap(t *testing.T) {
	long := "`" + strings.Repeat("a b ", 30) + "`"
	got := wrap(strings.Repeat("word ", 30) + long + ". The end")
	if len(got) != 4 || got[2] != long+"." || got[3] != "The end" || len(got[0]) > outputWidth {
		t.Errorf("wrap: got %q, want 4 lines, the third %q, the last \"The end\"", got, long+".")
	}
}

// TestNewStepsAreNotUnused checks a new list of steps beside a list that a
// person edited. setup does not report the new list as unused.
func TestNewStepsAreNotUnused(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	l.write(stepsFile, "# mine\n")
	for _, flags := range [][]string{{"--appservice"}, {"--yes"}} {
		l.only(exitOK, flags...)
		if strings.Contains(l.out, "nothing uses") {
			t.Errorf("setup %q: got\n%s\nwant no file that nothing uses", flags, l.out)
		}
	}
}
