package stack

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Chromium is the browser of one user, with its own profile. Camera and microphone are
// simulated. The browser can resolve only the host names in Hosts.
type Chromium struct {
	Host     *Host
	Program  string
	Certutil string
	Name     string // the name of the profile and of the log
	// CA is the PEM text of a certificate authority that the browser trusts; nil for no
	// additional authority.
	CA []byte
	// Hosts maps each host name to an address with a port. URLs then need no port.
	Hosts map[string]string
	// Addresses are further addresses to which the browser may connect. The browser's
	// rules for host names allow no other address, also for media over TCP. So the
	// addresses for such media must be in this list.
	Addresses []string

	address string
	process *process
	// temporary is a directory for the browser's files. The path must be short, because the
	// directory contains a socket.
	temporary string
}

// Start starts the browser, and returns when the browser accepts commands. After Stop
// or Kill, a new Start uses the same profile.
func (c *Chromium) Start(ctx context.Context) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	var err error
	if c.temporary, err = os.MkdirTemp("", "browser-"); err != nil {
		return err
	}
	c.process, err = start(ctx, c.Host, command{
		binds: []string{c.address},
		name:  c.Name, program: c.Program, args: c.flags(), env: []string{"HOME=" + c.home(), "TMPDIR=" + c.temporary},
	})
	if err != nil {
		return err
	}
	return c.process.await(ctx, func() bool { return answers(ctx, "http://"+c.address+"/json/version") })
}

// prepare creates the profile and reserves an address for commands. The profile is
// still there after the browser ends.
func (c *Chromium) prepare(ctx context.Context) error {
	if c.address != "" {
		return nil
	}
	if err := c.trust(ctx); err != nil {
		return err
	}
	var err error
	c.address, err = c.Host.Address()
	return err
}

func (c *Chromium) home() string { return filepath.Join(c.Host.Dir, c.Name+"-profile") }

// trust creates the profile's certificate database with the CA in it.
func (c *Chromium) trust(ctx context.Context) error {
	if c.CA == nil {
		return os.MkdirAll(c.home(), 0o700)
	}
	database := filepath.Join(c.home(), ".pki", "nssdb")
	if err := os.MkdirAll(database, 0o700); err != nil {
		return err
	}
	ca, err := c.Host.WriteFile(c.Name+"-ca.pem", c.CA)
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-t", "C,,", "-n", "stack", "-i", ca},
	} {
		out, err := exec.CommandContext(ctx, c.Certutil, append(args, "-d", "sql:"+database)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("certutil %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}

func (c *Chromium) flags() []string {
	return []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--user-data-dir=" + filepath.Join(c.home(), "chromium"),
		fmt.Sprintf("--remote-debugging-port=%d", port(c.address)),
		"--window-size=800,600", "--disable-dev-shm-usage",
		"--use-fake-device-for-media-stream=fps=5", "--use-fake-ui-for-media-stream",
		"--autoplay-policy=no-user-gesture-required",
		// A browser without a window slows its tabs down. These options prevent that.
		"--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
		"--disable-renderer-backgrounding",
		// The SFU is on loopback. With this option, the browser offers loopback
		// addresses for media.
		"--allow-loopback-in-peer-connection",
		// These options keep the browser off the internet and off the local network.
		// With them, the browser does not hide its addresses behind mDNS names, and
		// does not search for screens to cast to.
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-breakpad",
		"--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,DialMediaRouteProvider",
		"--host-resolver-rules=" + c.rules(),
		"about:blank",
	}
}

// rules returns the browser's rules for host names. The host names in Hosts lead to
// their addresses, and other host names do not exist.
func (c *Chromium) rules() string {
	var rules []string
	for _, name := range slices.Sorted(maps.Keys(c.Hosts)) {
		rules = append(rules, fmt.Sprintf("MAP %s %s", name, c.Hosts[name]))
	}
	rules = append(rules, "MAP * ~NOTFOUND")
	for _, address := range append([]string{"127.0.0.1"}, c.Addresses...) {
		rules = append(rules, "EXCLUDE "+address)
	}
	return strings.Join(rules, ",")
}

// DevTools returns the WebSocket URL at which programs control a running browser.
func (c *Chromium) DevTools() string { return "ws://" + c.address }

// Stop ends the browser as if a user closed its window.
func (c *Chromium) Stop() error {
	defer c.Kill()
	return c.process.stop(ending{kill: 10 * time.Second})
}

// Kill ends the browser and all its processes immediately. So the page in it cannot
// tell the homeserver or the SFU that it ends. If the browser never started, Kill does
// nothing.
func (c *Chromium) Kill() {
	if c.process != nil {
		c.process.kill()
	}
	if c.temporary != "" {
		os.RemoveAll(c.temporary)
	}
}

// Exited returns a channel that is closed when a started browser has ended.
func (c *Chromium) Exited() <-chan struct{} { return c.process.exited }

// Log returns the log of a started browser.
func (c *Chromium) Log() Log { return c.process.log }
