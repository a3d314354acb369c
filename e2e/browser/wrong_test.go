package browser

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/stack"
)

// wrong is a mistake in a configuration. The function make puts the mistake into the
// configuration, and the function end removes it.
type wrong struct {
	what      string // the description of the mistake in docs/troubleshooting.md
	make, end func(t *testing.T, s *stack.Stack)
}

// notListed describes a mistake: the users of the homeserver have no full access.
const notListed = "`LIVEKIT_FULL_ACCESS_HOMESERVERS` has a typo"

func wrongs(s *stack.Stack) []wrong {
	service := s.Services[0].Env
	server := s.Layout.ServerName
	return []wrong{
		set(s, "The service and LiveKit have different API secrets", "LIVEKIT_SECRET", service["LIVEKIT_SECRET"]+"x"),
		{
			what: "LiveKit does not run",
			make: func(t *testing.T, s *stack.Stack) { stop(t, s.SFU) },
			end:  func(t *testing.T, s *stack.Stack) { start(t, s.SFU) },
		},
		set(s, "The homeserver's federation port is closed", "LIVEKIT_FEDERATION_URL_OVERRIDES", server+"=https://"+unused(s)),
		set(s, "The homeserver's listener lacks the resource `openid`", "LIVEKIT_FEDERATION_URL_OVERRIDES", server+"=http://"+s.Synapse.Bare),
		set(s, "An unknown authority signed the homeserver's certificate", "LIVEKIT_CA_FILE", ""),
		set(s, notListed, "LIVEKIT_FULL_ACCESS_HOMESERVERS", "exmaple.test"),
	}
}

// set returns a mistake: a variable of the service has a wrong value.
func set(s *stack.Stack, what, name, value string) wrong {
	before := s.Services[0].Env[name]
	put := func(value string) func(*testing.T, *stack.Stack) {
		return func(t *testing.T, s *stack.Stack) {
			s.Services[0].Env[name] = value
			if err := s.Services[0].Stop(); err != nil {
				t.Errorf("Stop: got %v, want no error", err) // the function continues, and starts the service again
			}
			start(t, s.Services[0])
		}
	}
	return wrong{what: what, make: put(value), end: put(before)}
}

// unused returns an address at which no program listens.
func unused(s *stack.Stack) string {
	address, err := s.Host.Address()
	if err != nil {
		panic(err)
	}
	return address
}

func stop(t *testing.T, part stack.Part) {
	t.Helper()
	if err := part.Stop(); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, part stack.Part) {
	t.Helper()
	if err := part.Start(within(t, starting)); err != nil {
		t.Fatal(err)
	}
}

// TestWrong makes mistakes in the configuration, one at a time. For each mistake,
// docs/troubleshooting.md must contain the service's answer to the client, the text
// that users see, and the line in the log.
func TestWrong(t *testing.T) {
	s := newStack(t, stack.SubDomains(stack.Domain), func(s *stack.Stack) { s.Federated, s.BareListener = true, true })
	for _, w := range wrongs(s) {
		subtest(t, s, w.what, func(t *testing.T) {
			row := documented(t, w.what)
			defer w.end(t, s) // necessary even if w.make fails, because it may have changed something
			w.make(t, s)
			from := len(serviceLog(s))
			alice := newPerson(t, s, "alice")
			row.answers(t, get(t, s, alice))
			said := regexp.MustCompile(`msg=request .*` + regexp.QuoteMeta(row.log) + `\b`)
			alice.eventually(10*time.Second, fmt.Sprintf("the log has %q, as docs say", row.log), func() (bool, string) {
				log := serviceLog(s)[from:]
				return said.MatchString(log) && row.log != "", log
			})
			alice.call(newRoom(t, false, alice), false)
			alice.reads(row.call)
			alice.closeTab()
		})
	}
}

// TestNoWebhooks checks a deployment whose LiveKit sends no webhooks. The service must
// log one warning about this, and still send leaves.
func TestNoWebhooks(t *testing.T) {
	s := newStack(t, stack.SubDomains(stack.Domain), func(s *stack.Stack) {
		lent(s)
		s.NoWebhooks = true
		s.Env = map[string]string{"LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "5"}
	})
	started := time.Now()
	c := &call{t: t, stack: s, mode: stack.Compatibility, alice: newPerson(t, s, "alice"), bob: newPerson(t, s, "bob")}
	row := documented(t, "`livekit.yaml` has no `webhook.urls`")
	row.answers(t, get(t, s, c.alice))
	// If a participant joined in the first 10 s of the service, LiveKit may have sent the
	// webhook to an earlier process of the service. So the service does not warn about such
	// a missing webhook.
	c.eventually(time.Minute, "the service has run for 10 s", func() (bool, string) {
		ran := time.Since(started)
		return ran > 10*time.Second, ran.String()
	})
	c.begin()
	warning := regexp.MustCompile(`level=WARN msg="leave: .*` + regexp.QuoteMeta(row.log))
	warnings := func() int { return len(warning.FindAllString(serviceLog(s), -1)) }
	c.eventually(time.Minute, "the log warns of webhook.urls", func() (bool, string) { return warnings() > 0, "" })
	c.alice.closeTab()
	c.isSent(40 * time.Second) // the service asks LiveKit twice, at most 10 s apart: 20 s, and twice that for a slow machine
	if n := warnings(); n != 1 {
		t.Errorf("the log has %d warnings about missing webhooks, want one", n)
	}
}

// get requests an access token from the service, as a client does.
func get(t *testing.T, s *stack.Stack, p *person) caller.Answer {
	t.Helper()
	ctx := within(t, starting)
	token, err := p.OpenIDToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := caller.Post(ctx, s.Services[0].URL()+"/sfu/get", caller.Legacy{Room: "!test:" + s.Layout.ServerName, OpenIDToken: token, DeviceID: "TEST"})
	if err != nil && answer.Status == 0 {
		t.Fatal(err)
	}
	return answer
}

// trouble is a row in the table of mistakes in docs/troubleshooting.md.
type trouble struct{ answer, call, log string }

// answers checks that the answer to /sfu/get is the one in the docs.
func (row trouble) answers(t *testing.T, answer caller.Answer) {
	t.Helper()
	if got := fmt.Sprintf("%d %s", answer.Status, answer.Errcode); strings.TrimSpace(got) != row.answer {
		t.Errorf("/sfu/get: got %s %s, want %q, as the docs say", got, answer.Body, row.answer)
	}
}

// documented returns the row about a mistake from docs/troubleshooting.md.
func documented(t *testing.T, what string) trouble {
	t.Helper()
	page, err := os.ReadFile(repository + "/docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) == 4 && strings.TrimSpace(cells[0]) == what {
			return trouble{plain(cells[1]), plain(cells[2]), plain(cells[3])}
		}
	}
	t.Fatalf("docs/troubleshooting.md: got no row %q, want it", what)
	return trouble{}
}

// plain removes quotation marks and Markdown from a cell of the table.
func plain(cell string) string {
	return strings.NewReplacer("`", "", "“", "", "”", "").Replace(strings.TrimSpace(cell))
}
