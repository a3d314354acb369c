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

	"matrixrtc-auth/internal/command/commandtest"
)

var (
	seeds     = flag.Uint64("seeds", 10, "how many random histories TestWhateverHappens runs")
	firstSeed = flag.Uint64("seed", 0, "the seed of the first history")
)

// length is the number of steps in a history: edits of files, and runs of
// setup.
const length = 25

// TestWhateverHappens makes up random histories of a folder. A history has runs
// with random options, edits, deleted and half-written files, and runs that
// failed because the disk was full. No secret, no answer and no line that a
// person wrote may be lost. A run must name all files and answers that it
// changes. A second run with the same answers must change nothing.
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

// history is a folder, and what the test knows about its content.
type history struct {
	*lab
	random  *rand.Rand
	secret  string
	answers map[string]string
	// doubtful means that the test has damaged answersFile. setup may then take
	// answers from other files, but it must name these files.
	doubtful bool
	lines    []line
	marks    int
	written  int // how many runs wrote something
	told     []string
}

// line is a line that a person wrote into a file.
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

// execute runs setup. If apply is not nil, setup calls apply to write the
// files.
func (m *history) execute(flags []string, apply func(*update) error) int {
	o := presets()
	if apply != nil {
		o.apply = apply
	}
	c := o.command(repository, func(io.Reader) bool { return false })
	var out, faults bytes.Buffer
	args := append([]string{"--dir", m.dir}, flags...)
	code := commandtest.Run(m.t.Context(), c, args, strings.NewReader(""), &out, &faults)
	m.out, m.err = out.String(), faults.String()
	m.tell("setup %s: %d", strings.Join(flags, " "), code)
	return code
}

// run runs setup with random options.
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
		m.fatalf("a run with the same answers failed with exit code %d, want 0", code)
	}
	m.unchanged(before, "a run with the same answers")
}

// runKilled runs setup, and lets it fail after some files, as if it were killed. The
// next file is left half-written under a temporary name.
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

// adopt takes over the answers that a killed run left in the folder. Each
// answer must be the old one or the wanted one.
func (m *history) adopt(want map[string]string) {
	m.t.Helper()
	now := memory{answers: m.remembered()}
	if !now.complete() {
		return // the answers are still damaged
	}
	for name := range merge(now.answers, want) {
		if got := now.answers[name]; got != want[name] && got != m.answers[name] && !m.doubtful {
			m.fatalf("the answer %s is %q, want %q or %q", name, got, want[name], m.answers[name])
		}
	}
	m.answers = now.answers
}

// remembered returns the answers of the folder, or nil if they are damaged.
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

// checkAnswers checks that the folder remembers the wanted answers. If
// answersFile was damaged, an answer may differ. In that case setup must have
// said from which other file it took the answer.
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

// changedWord matches what the report says about a file that has changed.
var changedWord = regexp.MustCompile(`(?m)^(\S+) +(new$|updated|replaced|removed)`)

// checkReport checks that the report names each file and each answer that has
// changed.
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

// checkReportOfEnv checks that the report names each value of .env that has
// changed.
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

// checkLines checks that every line that a person wrote is in its file, or in
// the backup that setup made of the file because of --force.
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
