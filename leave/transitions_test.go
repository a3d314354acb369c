package leave

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/matrix"
	"matrixrtc-auth/sfu"
)

const (
	mine    = "S1"
	another = "S2"
	unknown = "S9"
)

var (
	noon       = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	testGrace  = Grace{Reconnect: time.Second, Outage: 15 * time.Second, Confirm: 15 * time.Second}
	afterwards = noon.Add(2 * time.Hour)
)

// in returns a job in the state s. If that is Leaving, the grace period is not over.
func in(t *testing.T, s State) Job {
	t.Helper()
	user, err := matrix.ParseUserID("@alice:example.org")
	if err != nil {
		t.Fatal(err)
	}
	id, err := matrix.ParseDelayID("syd_a")
	if err != nil {
		t.Fatal(err)
	}
	j := New(Key{"room", "alice"}, user, id, time.Hour, noon)
	j.NextLook = never
	if s == Waiting {
		return j
	}
	j = j.connected(noon, mine)
	j.NextRestart = noon.Add(48 * time.Minute)
	if s == Connected {
		return j
	}
	j = j.Left(noon, mine, sfu.ReasonOther, testGrace)
	j.NextLook = never
	switch s {
	case Sending:
		j = j.sending(noon)
		j.NextLook = never
	case Cancelling:
		j = j.Ended(noon)
	}
	return j
}

// happenings has a function for each event in the second column of the table in
// docs/leave.md. The function returns the job as it is after the event.
var happenings = map[string]func(j Job) Job{
	"a session joins":                                  func(j Job) Job { return j.Joined(noon, mine) },
	"its session joins once more":                      func(j Job) Job { return j.Joined(noon, mine) },
	"another session joins":                            func(j Job) Job { return j.Joined(noon, another) },
	"the session that left joins":                      func(j Job) Job { return j.Joined(noon, mine) },
	"a session leaves":                                 func(j Job) Job { return j.Left(noon, mine, sfu.ReasonClear, testGrace) },
	"its session leaves":                               func(j Job) Job { return j.Left(noon, mine, sfu.ReasonClear, testGrace) },
	"an unknown session leaves":                        func(j Job) Job { return j.Left(noon, unknown, sfu.ReasonClear, testGrace) },
	"a session without an id leaves":                   func(j Job) Job { return j.Left(noon, "", sfu.ReasonClear, testGrace) },
	"a connection is given up":                         func(j Job) Job { return j.aborted(noon, mine, sfu.ReasonOther, testGrace) },
	"its connection is given up":                       func(j Job) Job { return j.aborted(noon, mine, sfu.ReasonOther, testGrace) },
	"asked: there":                                     func(j Job) Job { return j.present(noon, mine) },
	"asked: another session is there":                  func(j Job) Job { return j.present(noon, another) },
	"asked: only the session that left is there":       func(j Job) Job { return j.present(afterwards, mine) },
	"asked: not there":                                 func(j Job) Job { return j.absent(noon, testGrace.Confirm, 0) },
	"asked: not there, and the time is over":           func(j Job) Job { return j.absent(afterwards, 0, 0) },
	"asked: no node has it":                            func(j Job) Job { return j.Told(noon, fromNode(mine, NodeRefuses), testGrace) },
	"asked: no node has it, for 5 s":                   refusedTwice,
	"asked: its node has it":                           func(j Job) Job { return j.Told(noon, fromNode(mine, NodeAnswers), testGrace) },
	"asked: not on record, but its node has it":        func(j Job) Job { return j.Told(noon, fromNode("", NodeAnswers), testGrace) },
	"asked: not on record, and no node has it":         func(j Job) Job { return j.Told(noon, fromNode("", NodeRefuses), testGrace) },
	"asked: no node has it, and the time is over":      func(j Job) Job { return j.Told(afterwards, fromNode("", NodeRefuses), testGrace) },
	"asked: not on record":                             func(j Job) Job { return j.Told(noon, Answer{Asked: noon}, testGrace) },
	"asked: the room has been made anew":               func(j Job) Job { return j.forgotten(noon, noon, testGrace.Outage) },
	"the same leave is delegated again":                func(j Job) Job { return delegated("syd_a", j) },
	"another leave is delegated":                       func(j Job) Job { return delegated("syd_b", j) },
	"ended, and what it replaced is not cancelled yet": func(j Job) Job { return j.Ended(noon) },
	"no answer":                       func(j Job) Job { return j.Unanswered(noon, 0, true) },
	"no answer, but it said good-bye": func(j Job) Job { j.ClearLeave = true; return j.Unanswered(noon, 0, true) },
	"no answer, it said good-bye, and the store is away": func(j Job) Job { j.ClearLeave = true; return j.Unanswered(noon, 0, false) },
}

// fromNode returns an answer of the SFU. session is in the SFU's record, and node is
// the answer of the participant's node.
func fromNode(session string, node NodeAnswer) Answer {
	return Answer{Asked: noon, Session: session, Node: node}
}

// refusedTwice returns j after the SFU has said twice that no node holds the session in
// its record.
func refusedTwice(j Job) Job {
	first := j.Told(noon, fromNode(mine, NodeRefuses), testGrace)
	second := fromNode(mine, NodeRefuses)
	second.Asked = first.NextLook
	return first.Told(second.Asked, second, testGrace)
}

// delegated returns a job that replaces the job old. The argument id is the delay id
// of the new job's leave.
func delegated(id string, old Job) Job {
	parsed, err := matrix.ParseDelayID(id)
	if err != nil {
		panic(err)
	}
	old.AcceptedAt = noon.Add(-time.Minute)
	return New(old.Key, old.User, parsed, old.Delay, noon).Replacing(old)
}

// TestTable checks each row of the table in docs/leave.md. A row says how an event
// changes a job that is in a given state.
func TestTable(t *testing.T) {
	page, err := os.ReadFile("../docs/leave.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (waiting|connected|leaving|sending|cancelling) \| (.*) \| (.*) \|$`).FindAllStringSubmatch(string(page), -1)
	seen := map[string]bool{}
	for _, row := range rows {
		state, what, becomes := State(row[1]), row[2], row[3]
		seen[what] = true
		happen := happenings[what]
		if happen == nil {
			t.Errorf("docs/leave.md: got the event %q, want one that this test knows", what)
			continue
		}
		wantBecomes(t, row[0], happen(in(t, state)), becomes)
	}
	for what := range happenings {
		if !seen[what] {
			t.Errorf("docs/leave.md: got no event %q, want it in the table", what)
		}
	}
}

// wantBecomes checks that got is as a row of the table in docs/leave.md says. The
// argument row is the text of that row. The argument becomes is its third column, which
// describes the expected state.
func wantBecomes(t *testing.T, row string, got Job, becomes string) {
	t.Helper()
	want, also, _ := strings.Cut(becomes, ", ")
	if !slices.Contains([]string{"", "asked at once", "asked again after 5 s", "restarted at once"}, also) {
		t.Errorf("%s: got %q, want an effect that this test checks", row, also)
	}
	want, _, limited := strings.Cut(want, " for a minute")
	if want == "as not there" {
		want = string(Sending) // in this row, the grace period is over, so the job must be in the state Sending
	}
	if got.State != State(want) {
		t.Errorf("%s: got the state %s, want %s", row, got.State, want)
	}
	if also == "asked at once" && got.NextLook.After(noon) {
		t.Errorf("%s: got the next look at %v, want it at once, %v", row, got.NextLook, noon)
	}
	if also == "asked again after 5 s" && !got.NextLook.Equal(noon.Add(5*time.Second)) {
		t.Errorf("%s: got the next look at %v, want %v", row, got.NextLook, noon.Add(5*time.Second))
	}
	if also == "restarted at once" && got.NextRestart.After(noon) {
		t.Errorf("%s: got the next restart at %v, want it by %v", row, got.NextRestart, noon)
	}
	if limited && got.Deadline.After(noon.Add(abortedWait)) {
		t.Errorf("%s: got the deadline %v, want it by %v", row, got.Deadline, noon.Add(abortedWait))
	}
}

// TestDrawing checks that the drawing of the states in docs/leave.md is the same as in
// the package's comment.
func TestDrawing(t *testing.T) {
	page, err := os.ReadFile("../docs/leave.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "```\n")
	drawing, _, _ := strings.Cut(after, "```")
	if drawing == "" {
		t.Fatal("docs/leave.md has no drawing between ``` lines, want one")
	}
	var comment strings.Builder
	for line := range strings.Lines(drawing) {
		comment.WriteString("//" + line)
	}
	if !strings.Contains(string(source), comment.String()) {
		t.Errorf("the package's comment: got another drawing, want that of docs/leave.md:\n%s", comment.String())
	}
}

// TestPeriods checks Period, Attempt and pause for several delays. Their results must
// leave time for several attempts within each delay.
func TestPeriods(t *testing.T) {
	for delay, want := range map[time.Duration]struct{ period, attempt, longestPause time.Duration }{
		500 * time.Millisecond: {125 * time.Millisecond, 500 * time.Millisecond / 6, 500 * time.Millisecond / 18},
		8 * time.Second:        {2 * time.Second, 8 * time.Second / 6, 8 * time.Second / 18},
		18 * time.Second:       {4500 * time.Millisecond, 3 * time.Second, time.Second},
		time.Minute:            {30 * time.Second, 5 * time.Second, time.Minute / 18},
		time.Hour:              {48 * time.Minute, 5 * time.Second, 10 * time.Second},
	} {
		t.Run(fmt.Sprint(delay), func(t *testing.T) {
			if got := Period(delay); got != want.period {
				t.Errorf("Period(%v) = %v, want %v", delay, got, want.period)
			}
			if got := Attempt(delay); got != want.attempt {
				t.Errorf("Attempt(%v) = %v, want %v", delay, got, want.attempt)
			}
			if got := pause(delay, 50); got != want.longestPause {
				t.Errorf("pause(%v, 50) = %v, want %v", delay, got, want.longestPause)
			}
			if got := pause(delay, 1); got != min(firstRetry, want.longestPause) {
				t.Errorf("pause(%v, 1): got %v, want %v", delay, got, min(firstRetry, want.longestPause))
			}
		})
	}
}

// TestDowntimeIsNotCounted has a time in which no process runs. No job may end only
// because this time has passed.
func TestDowntimeIsNotCounted(t *testing.T) {
	for _, state := range States() {
		for _, down := range []time.Duration{10 * time.Minute, 2 * time.Hour, 30 * time.Hour} {
			t.Run(fmt.Sprintf("%v, down for %v", state, down), func(t *testing.T) {
				began := noon.Add(down)
				j := in(t, state).Resumed(began)
				if why := j.Over(began.Add(900*time.Millisecond), began); why != "" {
					t.Errorf("a %s job, down for %v: it ends because %q, want it to go on", state, down, why)
				}
				if j.Due().After(began) {
					t.Errorf("a %s job, down for %v: it is due at %v, want it by %v", state, down, j.Due(), began)
				}
				if why := j.Over(began.Add(2*time.Hour), began); why == "" {
					t.Errorf("a %s job, down for %v, and then 2 h without success: it goes on, want it to end", state, down)
				}
			})
		}
	}
}

// TestNoTryAtOnce checks that the next attempt after a failure is not due immediately.
// This must hold even if a store has cut the job's times to milliseconds.
func TestNoTryAtOnce(t *testing.T) {
	j := in(t, Connected)
	j.Delay, j.Restarted, j.NextRestart = 8*time.Second, noon, noon
	for range 2000 {
		now := j.NextRestart.Truncate(time.Millisecond)
		j = j.RestartFailed(now, 0)
		if !j.NextRestart.Truncate(time.Millisecond).After(now) {
			t.Fatalf("after a failure at %v: got the next try at %v, want it later", now, j.NextRestart)
		}
	}
}
