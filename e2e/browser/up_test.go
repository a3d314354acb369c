package browser

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"matrixrtc-auth/e2e/stack"
)

// TestUp checks the deployment that `make stack` starts. A browser must be able to use
// it without special settings. After Ctrl-C, no process and no file may be left.
func TestUp(t *testing.T) {
	host := newHost(t)
	up := startUp(t, host)
	defer up.tail() // runs before the browsers end
	up.awaitLinks()
	up.doctorIsContent()
	alice, bob := visitor(t, host, "alice"), visitor(t, host, "bob")
	alice.open(up.links[0])
	bob.open(up.links[1])
	alice.sees(2)
	bob.sees(2)
	if *pictures != "" {
		keepPictures(alice, up)
	}
	up.interrupt()
}

// doctorIsContent runs the two doctor commands that up prints, and checks that neither
// finds a fault.
func (u *up) doctorIsContent() {
	u.t.Helper()
	commands := regexp.MustCompile(`(?m)^  (.* doctor .*)$`).FindAllStringSubmatch(u.said(), -1)
	if len(commands) != 2 {
		u.t.Fatalf("up printed %d commands of doctor, want 2:\n%s", len(commands), u.said())
	}
	for _, command := range commands {
		if out, err := exec.CommandContext(within(u.t, starting), "sh", "-c", command[1]).CombinedOutput(); err != nil {
			u.t.Errorf("%s: %v\n%s", command[1], err, out)
		}
	}
}

var pictures = flag.String("pictures", "", "a `directory` for the README's pictures, which TestUp takes")

// keepPictures saves a picture of the call, and a picture of the output of `make
// stack`.
func keepPictures(p *person, u *up) {
	p.t.Helper()
	if err := p.picture(filepath.Join(*pictures, "call.png")); err != nil {
		p.t.Fatal(err)
	}
	terminal := "data:text/html;charset=utf-8," + url.PathEscape(fmt.Sprintf(
		"<body style='background:#111;color:#ddd;margin:16px'><pre style='font:13px monospace;white-space:pre-wrap'>$ make stack\n%s</pre>",
		html.EscapeString(u.said())))
	ctx, cancel := context.WithTimeout(p.tab, joining)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(terminal)); err != nil {
		p.t.Fatal(err)
	}
	if err := p.picture(filepath.Join(*pictures, "stack.png")); err != nil {
		p.t.Fatal(err)
	}
}

// visitor returns a person whose browser has no additional host names, and trusts no
// additional certificate authority.
func visitor(t *testing.T, host *stack.Host, name string) *person {
	return &person{t: t, name: name, stack: &stack.Stack{Host: host}, chromium: &stack.Chromium{
		Host: host, Program: tools.Chromium, Certutil: tools.Certutil, Name: name,
	}}
}

// up is a running process of e2e/up.
type up struct {
	t      *testing.T
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	dir    string        // the directory in which the process makes the directory for its files
	log    string        // the file that contains the output of the process
	links  []string
}

// startUp starts a process of e2e/up. The process runs until the test ends.
func startUp(t *testing.T, host *stack.Host) *up {
	t.Helper()
	program := filepath.Join(t.TempDir(), "up")
	if out, err := exec.CommandContext(within(t, building), "go", "build", "-o", program, "../up").CombinedOutput(); err != nil {
		t.Fatalf("go build ../up: got %v\n%s\nwant no error", err, out)
	}
	u := &up{
		t: t, cmd: exec.Command(program), exited: make(chan struct{}),
		dir: filepath.Join(host.Dir, "up"), log: filepath.Join(host.Dir, "up.log"),
	}
	if err := os.Mkdir(u.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	u.cmd.SysProcAttr = stack.Dependent()
	u.cmd.Env = append(os.Environ(), "TMPDIR="+u.dir)
	u.cmd.Stdout = create(t, u.log)
	u.cmd.Stderr = u.cmd.Stdout
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = u.cmd.Wait(); close(u.exited) }()
	t.Cleanup(u.kill)
	return u
}

func (u *up) kill() {
	_ = u.cmd.Process.Kill()
	<-u.exited
}

// said returns what the process has printed so far.
func (u *up) said() string {
	said, err := os.ReadFile(u.log)
	if err != nil {
		u.t.Error(err)
	}
	return string(said)
}

// tail shows the output of the process and the end of each part's log, if the test has
// failed. A process that ended without an error has removed these logs.
func (u *up) tail() {
	if !u.t.Failed() {
		return
	}
	u.t.Logf("up printed:\n%s", u.said())
	for _, path := range glob(filepath.Join(u.dir, "*", "*.log")) {
		u.t.Logf("%s ends:\n%s", filepath.Base(path), narrow(stack.OpenLog(path).Tail(20)))
	}
}

// awaitLinks waits until the process has printed the links to the call.
func (u *up) awaitLinks() {
	u.t.Helper()
	limit := 2 * starting // longer than the limit that the process itself has
	over := time.After(limit)
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for !strings.Contains(u.said(), "Ctrl-C") {
		select {
		case <-ticker.C:
		case <-u.exited:
			u.t.Fatalf("up ended before it was ready: %v", u.cmd.ProcessState)
		case <-over:
			u.t.Fatalf("up is not ready after %s", limit)
		}
	}
	for _, match := range regexp.MustCompile(`calls at +(\S+)`).FindAllStringSubmatch(u.said(), -1) {
		u.links = append(u.links, match[1])
	}
	if len(u.links) != 2 {
		u.t.Fatalf("up printed %d links, want two", len(u.links))
	}
}

// interrupt sends Ctrl-C to the process. The process must end with exit code 0. Its
// address must then be free, and its files must be gone.
func (u *up) interrupt() {
	t := u.t
	t.Helper()
	_ = u.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-u.exited:
	case <-time.After(starting):
		t.Fatalf("%s after Ctrl-C: got the program running, want it ended", starting)
	}
	if !u.cmd.ProcessState.Success() {
		t.Errorf("after Ctrl-C: got %v, want exit code 0", u.cmd.ProcessState)
	}
	client := http.Client{Timeout: starting}
	if resp, err := client.Get(u.links[0]); err == nil {
		resp.Body.Close()
		t.Errorf("GET %s after the end: got %d, want an error", u.links[0], resp.StatusCode)
	}
	logs := regexp.MustCompile(`logs +(\S+)`).FindStringSubmatch(u.said())
	if logs == nil {
		t.Fatalf("got\n%s\nwant the place of the logs", u.said())
	}
	if _, err := os.Stat(logs[1]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s after the end: got %v, want it removed", logs[1], err)
	}
	// The command line of each part of the stack contains the directory in which the
	// process has created the logs.
	for _, command := range glob("/proc/[0-9]*/cmdline") {
		if line, _ := os.ReadFile(command); strings.Contains(string(line), logs[1]) {
			t.Errorf("after the end: got %q running, want no part of the stack", line)
		}
	}
}
