package browser

import (
	"bufio"
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

	"github.com/chromedp/chromedp"

	"matrixrtc-auth/e2e/stack"
)

// What `make stack` starts works in a browser that knows nothing of it, and is
// gone after Ctrl-C.
func TestUp(t *testing.T) {
	up := startUp(t)
	host := newHost(t)
	alice, bob := visitor(t, host, "alice"), visitor(t, host, "bob")
	alice.open(up.links[0])
	bob.open(up.links[1])
	alice.sees(2)
	bob.sees(2)
	if *pictures != "" {
		keepPictures(alice, up)
	}
	up.interrupt(t)
}

var pictures = flag.String("pictures", "", "a `directory` for the README's pictures, which TestUp takes")

// keepPictures takes one of the call and one of what `make stack` says.
func keepPictures(p *person, u *up) {
	p.t.Helper()
	if err := p.picture(filepath.Join(*pictures, "call.png")); err != nil {
		p.t.Fatal(err)
	}
	terminal := "data:text/html;charset=utf-8," + url.PathEscape(fmt.Sprintf(
		"<body style='background:#111;color:#ddd;margin:16px'><pre style='font:13px monospace;white-space:pre-wrap'>$ make stack\n%s</pre>",
		html.EscapeString(u.said)))
	if err := chromedp.Do(p.tab, chromedp.Navigate(terminal)); err != nil {
		p.t.Fatal(err)
	}
	if err := p.picture(filepath.Join(*pictures, "stack.png")); err != nil {
		p.t.Fatal(err)
	}
}

// visitor is somebody whose browser knows no name and no authority.
func visitor(t *testing.T, host *stack.Host, name string) *person {
	return &person{t: t, name: name, stack: &stack.Stack{Host: host}, chromium: &stack.Chromium{
		Host: host, Program: tools.Chromium, Certutil: tools.Certutil, Name: name,
	}}
}

// up is the running program, and what it has said.
type up struct {
	cmd   *exec.Cmd
	links []string
	said  string
}

// startUp returns once the program has said where people call.
func startUp(t *testing.T) *up {
	t.Helper()
	program := filepath.Join(t.TempDir(), "up")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../up").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	u := &up{cmd: exec.Command(program)}
	// What it writes is kept when the test fails.
	logs := filepath.Join(repository, "build", "e2e", t.Name()+"-logs")
	if err := errors.Join(os.RemoveAll(logs), os.MkdirAll(logs, 0o700)); err != nil {
		t.Fatal(err)
	}
	u.cmd.SysProcAttr = stack.Dependent()
	u.cmd.Env = append(os.Environ(), "TMPDIR="+logs)
	out, err := u.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	u.cmd.Stderr = u.cmd.Stdout
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.cmd.Process.Kill() })
	u.read(bufio.NewScanner(out))
	if len(u.links) < 2 {
		t.Fatalf("it ended (%v) after saying\n%s", u.cmd.Wait(), u.said)
	}
	return u
}

func (u *up) read(lines *bufio.Scanner) {
	link := regexp.MustCompile(`calls at +(\S+)`)
	for !strings.Contains(u.said, "Ctrl-C") && lines.Scan() {
		u.said += lines.Text() + "\n"
		if match := link.FindStringSubmatch(lines.Text()); match != nil {
			u.links = append(u.links, match[1])
		}
	}
}

// interrupt presses Ctrl-C, upon which it ends well. Its address and its files
// are gone then.
func (u *up) interrupt(t *testing.T) {
	t.Helper()
	u.cmd.Process.Signal(syscall.SIGINT)
	if err := u.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if resp, err := http.Get(u.links[0]); err == nil {
		resp.Body.Close()
		t.Errorf("%s still answers", u.links[0])
	}
	logs := regexp.MustCompile(`logs +(\S+)`).FindStringSubmatch(u.said)
	if logs == nil {
		t.Fatalf("it does not say where logs are:\n%s", u.said)
	}
	if _, err := os.Stat(logs[1]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", logs[1], err)
	}
	// Every part was given a file in that directory.
	for _, command := range glob("/proc/[0-9]*/cmdline") {
		if line, _ := os.ReadFile(command); strings.Contains(string(line), logs[1]) {
			t.Errorf("still running: %q", line)
		}
	}
}
