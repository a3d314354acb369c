package main_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/access"
	"matrixrtc-auth/config"
	"matrixrtc-auth/handler"
	"matrixrtc-auth/internal/command/commandtest"
	"matrixrtc-auth/internal/metrics"
	"matrixrtc-auth/setup"
	"matrixrtc-auth/sfu"
)

// pages returns the documents that the tests compare with the program.
func pages(t *testing.T) []string {
	t.Helper()
	docs, err := filepath.Glob("docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("pages in docs/: got %q, %v, want one at least", docs, err)
	}
	return append(docs, "README.md", "CHANGELOG.md")
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestVariableTable checks that docs/variables.md lists each variable of the
// program once, in the program's order. Another test, in config/gendoc,
// compares the whole page.
func TestVariableTable(t *testing.T) {
	var want, got []string
	for _, v := range config.Variables() {
		preset := "–"
		if v.Default != "" {
			preset = "`" + v.Default + "`"
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s", v.Name, preset, strings.ReplaceAll(v.Meaning, "|", `\|`)))
	}
	for line := range strings.Lines(read(t, "docs/variables.md")) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, line)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("rows of docs/variables.md: got %d, want one for each of %d variables", len(got), len(want))
	}
	for i, row := range want {
		if !strings.HasPrefix(got[i], row+" |") {
			t.Errorf("row %d of docs/variables.md: got\n%swant it to begin with\n%s |", i+1, got[i], row)
		}
	}
}

// TestSecretLength checks the minimum length of the secret in the documents.
// Every page must give the same length as the program.
func TestSecretLength(t *testing.T) {
	right := fmt.Sprintf("%d characters or more", sfu.ShortestSecret)
	for _, page := range []string{"README.md", "docs/variables.md", "docs/setup.md", "docs/security.md"} {
		t.Run(page, func(t *testing.T) {
			if !strings.Contains(read(t, page), right) {
				t.Errorf("%s: got no statement that the secret has %s, want one", page, right)
			}
		})
	}
	other := regexp.MustCompile(`(?i)secret[^.|]{0,60}(at least|more than|longer than) \d+ characters`)
	for _, page := range append(pages(t), "config/table.go", ".env.example", "compose.yaml") {
		if found := other.FindString(read(t, page)); found != "" {
			t.Errorf("%s: got %q, want %q", page, found, right)
		}
	}
}

// TestREADMEIsShort bounds the README to a size that a newcomer can read at one
// sitting.
func TestREADMEIsShort(t *testing.T) {
	const most = 8000 // in bytes
	if size := len(read(t, "README.md")); size > most {
		t.Errorf("README.md: got %d bytes, want at most %d: move details for a single kind of reader to a page in docs/", size, most)
	}
}

// TestVariableNames checks that the program knows every variable that the
// documents name.
func TestVariableNames(t *testing.T) {
	known := map[string]bool{
		"LIVEKIT_KEYS":    true, // a variable of LiveKit itself
		"LIVEKIT_API_KEY": true, // a variable of LiveKit's tools
	}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	name := regexp.MustCompile(`\b(LIVEKIT|LK)_[A-Z_]*[A-Z]\b`)
	files := append(pages(t), "compose.yaml", ".env.example", "livekit.yaml.example", "Dockerfile")
	for _, file := range files {
		for _, found := range name.FindAllString(read(t, file), -1) {
			if !known[found] {
				t.Errorf("%s: got %s, want variables of the program", file, found)
			}
		}
	}
}

// TestSetupFlags checks that the table in docs/setup.md lists exactly the flags
// of setup.
func TestSetupFlags(t *testing.T) {
	page := read(t, "docs/setup.md")
	var help bytes.Buffer
	commandtest.Run(t.Context(), setup.Command(nil), []string{"--help"}, nil, &help, &help)
	flags := regexp.MustCompile(`(?m)^  (--[a-z-]+)`).FindAllStringSubmatch(help.String(), -1)
	for _, flag := range flags {
		if !regexp.MustCompile("(?m)^\\| `" + flag[1] + "[ `]").MatchString(page) {
			t.Errorf("docs/setup.md: got no flag %s, want it", flag[1])
		}
	}
	_, table, _ := strings.Cut(page, "\n## Flags\n")
	table, _, _ = strings.Cut(table, "\n## ")
	if rows := strings.Count(table, "\n| `--"); len(flags) == 0 || rows != len(flags) {
		t.Errorf("docs/setup.md, the table of flags: got %d rows, want one for each of %d flags", rows, len(flags))
	}
}

// TestRoutes requests every route in the table of docs/api.md. It uses the
// methods that the table names for the route, and one method that the table
// does not name.
func TestRoutes(t *testing.T) {
	h := (&handler.Handler{
		Log: slog.New(slog.DiscardHandler), Access: &access.Authorizer{Delegation: &access.Delegation{Everyone: true}}, AppService: &handler.AppService{}, TestPage: &handler.TestPage{},
	}).Routes()
	ask := func(method, route string) int {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(method, route, strings.NewReader("no JSON")))
		return answer.Code
	}
	rows := regexp.MustCompile("(?m)^\\| `(/[^`]*)` \\| ([A-Z, –]+) \\|").FindAllStringSubmatch(read(t, "docs/api.md"), -1)
	if len(rows) < 5 {
		t.Fatalf("docs/api.md, the table of routes: got %d rows, want 5 at least", len(rows))
	}
	for _, row := range rows {
		route, methods := row[1], strings.Split(row[2], ", ")
		notMethod := http.StatusMethodNotAllowed
		if methods[0] == "–" {
			methods, notMethod = nil, http.StatusNotFound
		}
		for _, method := range methods {
			switch status := ask(method, route); status {
			case http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized:
			default:
				t.Errorf("%s %s: got %d, want 200, 400 or 401: docs/api.md has it", method, route, status)
			}
		}
		if status := ask(http.MethodPatch, route); status != notMethod {
			t.Errorf("PATCH %s: got %d, want %d by docs/api.md", route, status, notMethod)
		}
	}
}

// TestMetrics checks that docs/operations.md names every metric whose name
// begins with matrixrtc_auth.
func TestMetrics(t *testing.T) {
	m := metrics.New("")
	some := map[string]float64{"any": 1}
	m.Watch(func() metrics.Snapshot {
		return metrics.Snapshot{Health: some, Jobs: some, Store: some, Budget: some, Membership: some}
	})
	m.SFUAnswered(0, "timeout")
	m.AppServiceRequest("homeserver", "ping", "")
	m.LeaveAction("send", "ok", 0)
	m.DelegationRefused("user")
	m.Request("/", http.StatusOK)
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	names := regexp.MustCompile(`(?m)^# TYPE (matrixrtc_auth_\S+)`).FindAllStringSubmatch(answer.Body.String(), -1)
	if len(names) == 0 {
		t.Fatal("no metric of ours is served: got none, want some")
	}
	for _, name := range names {
		if !strings.Contains(read(t, "docs/operations.md"), "| `"+name[1]+"` |") {
			t.Errorf("docs/operations.md: got no metric %s, want it", name[1])
		}
	}
}

// TestCauses checks that docs/operations.md names every cause that the log can
// contain.
func TestCauses(t *testing.T) {
	table := read(t, "docs/operations.md")
	constant := regexp.MustCompile(`\bCause\w+\s+(?:Cause\s+)?= "(\w+)"`)
	found := 0
	for file, prefix := range map[string]string{"internal/outbound/cause.go": "", "matrix/errors.go": "", "sfu/errors.go": "sfu_"} {
		t.Run(file, func(t *testing.T) {
			for _, match := range constant.FindAllStringSubmatch(read(t, file), -1) {
				found++
				if cause := prefix + match[1]; cause != "sfu_canceled" && !strings.Contains(table, "`"+cause+"`") {
					t.Errorf("docs/operations.md: got no cause %s of %s, want it", cause, file)
				}
			}
		})
	}
	for _, match := range regexp.MustCompile(`cause: +"(\w*[a-z])"`).FindAllStringSubmatch(read(t, "handler/problem.go"), -1) {
		found++
		if !strings.Contains(table, "`"+match[1]+"`") {
			t.Errorf("docs/operations.md: got no cause %s, want it", match[1])
		}
	}
	if found < 20 {
		t.Errorf("causes in the source: got %d, want 20 at least", found)
	}
}

// TestLimits checks that docs/api.md gives the same limits as the source code.
func TestLimits(t *testing.T) {
	page := read(t, "docs/api.md")
	for _, limit := range []struct{ file, source, page string }{
		{"service/places.go", "MaxConnections = 2048", "| connections at a time | 2048."},
		{"service/server.go", "headerTime = 5 * time.Second", "5 s to arrive"},
		{"service/server.go", "idleTime   = 120 * time.Second", "| an idle connection | 120 s |"},
		{"service/server.go", "maxHeaderBytes = 16 << 10", "| request headers | 16 KiB"},
		{"internal/connlimit/head.go", "maxLines = 128", "| request headers | 16 KiB in 128 lines"},
		{"internal/connlimit/head.go", "smallLines = 48", "large headers (over 4 KiB or 48 lines)"},
		{"internal/connlimit/head.go", "largeHeads = 32", "that the service reads at a time | 32."},
		{"internal/connlimit/connlimit.go", "minArrival = 2 * time.Second", "2 s if none is"},
		{"handler/body.go", "maxBodyBytes   = 64 << 10", "| request body | 64 KiB |"},
		{"handler/body.go", "largeBodies = semaphore.Bounds{Total: 64, Share: 8}", "| bodies over 2 KiB held at a time | 64; of one client network 8,"},
		{"handler/exchange.go", "requestTimeout = 25 * time.Second", "| one request | 25 s in all"},
	} {
		t.Run(limit.source, func(t *testing.T) {
			if !strings.Contains(read(t, limit.file), limit.source) || !strings.Contains(page, limit.page) {
				t.Errorf("got no %q in %s, or no %q in docs/api.md, want both, or neither", limit.source, limit.file, limit.page)
			}
		})
	}
}

// TestDelegationDiffers compares docs/from-lk-jwt-service.md with the source
// code. The page must give the times and names that the code uses for delegated
// leaves.
func TestDelegationDiffers(t *testing.T) {
	page := read(t, "docs/from-lk-jwt-service.md")
	for _, fact := range []struct{ file, source, page string }{
		{"leave/delay.go", "abortedWait   = time.Minute", "leads to the leave after a minute, or after its delay if that is shorter"},
		{"leave/delay.go", "maxUnanswered = time.Hour", "After an hour without an answer"},
		{"service/leaves.go", "probeEvery = 10 * time.Minute", "At the start and every 10 minutes"},
		{"matrix/needstoken.go", `nobodysDelay = DelayID{"matrixrtc-auth-probe"}`, "`matrixrtc-auth-probe`"},
		{"matrix/clientapi.go", `versions.Unstable["org.matrix.msc4140"] != true`, "`org.matrix.msc4140`"},
		{"matrix/clientapi.go", `versions.Unstable["org.matrix.msc4140.stable"] == true`, "`org.matrix.msc4140.stable`"},
	} {
		t.Run(fact.source, func(t *testing.T) {
			if !strings.Contains(read(t, fact.file), fact.source) || !strings.Contains(page, fact.page) {
				t.Errorf("got no %q in %s, or no %q in docs/from-lk-jwt-service.md, want both, or neither", fact.source, fact.file, fact.page)
			}
		})
	}
}

// TestYAMLInPages parses every YAML block of the documents.
func TestYAMLInPages(t *testing.T) {
	for _, page := range pages(t) {
		for i, block := range blocks(read(t, page), "yaml") {
			var v map[string]any
			if err := yaml.Unmarshal([]byte(block), &v); err != nil {
				t.Errorf("%s, YAML block %d: got %v, want no error", page, i+1, err)
			}
		}
	}
}

func blocks(page, language string) []string {
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```")
	var texts []string
	for _, match := range block.FindAllStringSubmatch(page, -1) {
		texts = append(texts, match[1])
	}
	return texts
}
