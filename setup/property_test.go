package setup

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/internal/command"
)

var (
	seeds     = flag.Uint64("seeds", 10, "how many histories TestWhateverHappens makes up")
	firstSeed = flag.Uint64("seed", 0, "the first of them")
)

// length is how many edits and runs a history has.
const length = 25

// TestWhateverHappens makes up histories of a folder: runs with any options, and
// between them edits, deleted and half-written files, and runs that a full disk
// ended. No secret, no line of a person's and no answer is ever lost; a run says
// all that it changes, and the next one with the same answers changes nothing.
func TestWhateverHappens(t *testing.T) {
	written := 0
	for i := range *seeds {
		seed := *firstSeed + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newHistory(t, seed)
			for range length {
				m.pick(m.run, m.run, m.run, m.runFrom, m.runKilled, m.addLine, m.addLine, m.changeValue, m.changeAnswer, m.damage, m.takeOver, m.loseSecret)
			}
			written += m.written
		})
	}
	if want := int(*seeds) * length / 10; written < want {
		t.Errorf("%d runs wrote something, want %d", written, want)
	}
}

// history is a folder, and what is known of it beside it.
type history struct {
	*lab
	random  *rand.Rand
	secret  string
	answers map[string]string
	// doubtful says that somebody damaged the answers: then those that setup reads
	// from other files, and says so, count.
	doubtful bool
	lines    []line
	marks    int
	written  int // how many runs wrote something
	told     []string
}

// line is a line of a person's.
type line struct{ file, text string }

func newHistory(t *testing.T, seed uint64) *history {
	m := &history{lab: newLab(t), random: rand.New(rand.NewPCG(seed, 1))}
	m.lab.run(exitOK)
	m.secret, m.answers = m.env()["LIVEKIT_SECRET"], m.lab.answers()
	return m
}

func (m *history) pick(choices ...func()) { choices[m.random.IntN(len(choices))]() }

func (m *history) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\n\nwhat happened:\n%s\n\nthe last output:\n%s%s", fmt.Sprintf(format, args...), strings.Join(m.told, "\n"), m.out, m.err)
}

func (m *history) tell(format string, args ...any) {
	m.told = append(m.told, fmt.Sprintf(format, args...))
}

// execute runs setup with another way to write the files, if there is one.
func (m *history) execute(flags []string, apply func(*update) error) int {
	o := presets()
	if apply != nil {
		o.apply = apply
	}
	c := o.command(repository, func(io.Reader) bool { return false })
	var out, faults bytes.Buffer
	args := append([]string{"--dir", m.dir}, flags...)
	code := command.RunAlone(m.t.Context(), c, args, strings.NewReader(""), &out, &faults)
	m.out, m.err = out.String(), faults.String()
	m.tell("setup %s: %d", strings.Join(flags, " "), code)
	return code
}

// run has setup run with some options.
func (m *history) run() {
	flags, want := m.choose()
	before := m.snapshot()
	code := m.execute(flags, nil)
	m.checkLines()
	if code != exitOK || len(flags) == 0 {
		m.unchanged(before, "a run that was refused, or that was told nothing,")
		m.repair()
		return
	}
	m.written++
	m.checkSecret(slices.Contains(flags, "--new-secrets"))
	m.checkAnswers(want)
	m.checkReport(before)
	before = m.snapshot()
	if code := m.execute([]string{"--yes"}, nil); code != exitOK {
		m.fatalf("the same answers are refused with %d", code)
	}
	m.unchanged(before, "a run with the same answers")
}

// runKilled has the disk get full while setup writes.
func (m *history) runKilled() {
	flags, want := m.choose()
	room := m.random.IntN(14)
	m.execute(flags, func(u *update) error {
		full := errors.New("no space left on device")
		if err := errors.Join(u.removeHalves(), u.announce()); err != nil || room == 0 {
			return errors.Join(err, full)
		}
		for _, s := range u.steps[:min(room, len(u.steps))] {
			if err := u.do(s); err != nil {
				return err
			}
		}
		half := fmt.Sprintf(".%s.%s", u.steps[min(room, len(u.steps)-1)].name, strings.Repeat("A", 26))
		return errors.Join(full, os.WriteFile(m.path(half), []byte("LIVEKIT_SECRET=half"), 0o600))
	})
	m.tell("  it was killed after %d files", room)
	m.checkLines()
	m.checkSecret(slices.Contains(flags, "--new-secrets"))
	m.adopt(want)
}

// adopt takes over the answers that a killed run left: each is the old one or the
// one that was wanted.
func (m *history) adopt(want map[string]string) {
	m.t.Helper()
	now := memory{answers: m.remembered()}
	if !now.complete() {
		return // they are damaged still
	}
	for name := range merge(now.answers, want) {
		if got := now.answers[name]; got != want[name] && got != m.answers[name] && !m.doubtful {
			m.fatalf("the answer %s is %q, want %q or %q", name, got, want[name], m.answers[name])
		}
	}
	m.answers = now.answers
}

// remembered are the answers of the folder, or nil when they are damaged.
func (m *history) remembered() map[string]string {
	content, err := os.ReadFile(m.path(answersFile))
	if err != nil {
		return nil
	}
	values, _, err := parseAnswers(string(content))
	if err != nil {
		return nil
	}
	return values
}

func (m *history) unchanged(before map[string]string, who string) {
	m.t.Helper()
	after := m.snapshot()
	for name := range merge(before, after) {
		if before[name] != after[name] {
			m.fatalf("%s changes %s:\n%s", who, name, strings.Join(difference(strings.Split(before[name], "\n"), strings.Split(after[name], "\n")), "\n"))
		}
	}
}

func merge(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

func (m *history) checkSecret(renewed bool) {
	m.t.Helper()
	now := m.env()["LIVEKIT_SECRET"]
	if now != m.secret && !renewed || len(now) != 64 {
		m.fatalf("the secret is %q, want %q", now, m.secret)
	}
	if strings.Contains(m.out+m.err, now) {
		m.fatalf("the secret is printed")
	}
	m.secret = now
}

// checkAnswers: the folder remembers the answers that are wanted, or, where
// somebody damaged them, others of which it says that they come from other files.
func (m *history) checkAnswers(want map[string]string) {
	m.t.Helper()
	got := m.remembered()
	for name := range merge(got, want) {
		said := m.doubtful && strings.Contains(m.err, fmt.Sprintf("%s %s (", name, shown(got[name])))
		if got[name] != want[name] && !said {
			m.fatalf("the answer %s is %q, want %q", name, got[name], want[name])
		}
	}
	m.answers, m.doubtful = got, false
}

// changedWord is what the report says of a file that it changed.
var changedWord = regexp.MustCompile(`(?m)^(\S+) +(new$|updated|replaced|removed)`)

// checkReport: each file that is another one now, and each answer, is named.
func (m *history) checkReport(before map[string]string) {
	m.t.Helper()
	named := map[string]bool{sumsFile: true}
	for _, match := range changedWord.FindAllStringSubmatch(m.out, -1) {
		named[match[1]] = true
	}
	after := m.snapshot()
	for name := range merge(before, after) {
		isNew := strings.HasSuffix(name, newSuffix) && strings.Contains(m.out, "what setup would write is "+name)
		isBackup := strings.Contains(m.out, "the edited one is "+name)
		isHalf := half().MatchString(name)
		if before[name] != after[name] && !named[name] && !isNew && !isBackup && !isHalf {
			m.fatalf("%s changed, and the output does not say so", name)
		}
	}
	m.checkReportOfEnv(before[envFile], after[envFile])
}

// checkReportOfEnv: each value that changed is named.
func (m *history) checkReportOfEnv(before, after string) {
	m.t.Helper()
	old, _ := parseEnv(before)
	now, _ := parseEnv(after)
	for name := range merge(old, now) {
		if old[name] != now[name] && !strings.Contains(m.out, "changed: "+name+"\n") && !strings.Contains(m.out, "lines of the edited file") {
			m.fatalf("%s changed in .env, and the output does not say so", name)
		}
	}
}

// checkLines: every line of a person's is in its file, or in a copy of it that
// was saved when somebody had the file overruled.
func (m *history) checkLines() {
	m.t.Helper()
	now := m.snapshot()
	for _, l := range m.lines {
		found := slices.ContainsFunc(slices.Collect(maps.Keys(now)), func(name string) bool {
			return (name == l.file || strings.HasPrefix(name, l.file+backupSuffix)) && strings.Contains(now[name], l.text)
		})
		if !found {
			m.fatalf("the line %q of %s is lost", l.text, l.file)
		}
	}
}
