package breakages

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"matrixrtc-auth/e2e/stack"
)

// programs has the paths of all programs of a deployment.
type programs struct {
	stack.Programs
	stack.Tools
}

// world runs one deployment after the other in the namespaces of this process.
type world struct {
	host     *stack.Host
	programs programs
	names    *nameServer
	parts    []*part
	people   *people // nil until a breakage needs users
}

// part is one program of the world, like nginx.
type part struct {
	name string
	// wants returns the program's configuration in the deployment. If the configuration is
	// "", the program should not run.
	wants func(d deployment) string
	start func(ctx context.Context, w *world, d deployment) (*stack.Other, error)

	has     string
	running *stack.Other
}

// newWorld returns a world in which no program runs yet.
func newWorld(dir string, p programs) (*world, error) {
	names, err := serveNames()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "synapse"), 0o700); err != nil {
		return nil, err
	}
	seed := sha256.Sum256([]byte(domain))
	key := fmt.Sprintf("ed25519 a_test %s\n", base64.RawStdEncoding.EncodeToString(seed[:]))
	w := &world{host: stack.NewHost(dir), programs: p, names: names, parts: parts()}
	return w, os.WriteFile(filepath.Join(dir, "synapse", "signing.key"), []byte(key), 0o600)
}

// parts returns the programs in the order in which they start. The service starts after
// nginx. At its start the service checks whether Synapse reaches the service, and
// Synapse may need nginx for this. HAProxy starts after the service, because HAProxy
// checks at its start whether the service answers.
func parts() []*part {
	return []*part{
		{name: "synapse", wants: func(d deployment) string { return joined(d.homeserver, d.registration) }, start: startSynapse},
		{name: "redis", wants: func(d deployment) string { return string(d.redis) }, start: startRedis},
		{name: "livekit", wants: func(d deployment) string { return joined(d.livekit, d.keys, d.ahead.String()) }, start: startLiveKit},
		{name: "second", wants: func(d deployment) string { return d.second }, start: startSecond},
		{name: "nginx", wants: func(d deployment) string { return d.nginx }, start: startNginx},
		{name: "service", wants: func(d deployment) string { return joined(environment(d.service)...) }, start: startService},
		{name: "haproxy", wants: func(d deployment) string { return d.haproxy }, start: startHAProxy},
		{name: "caddy", wants: func(d deployment) string { return d.caddy }, start: startCaddy},
	}
}

// joined returns all texts as one text, or "" if the first text is empty.
func joined(texts ...string) string {
	if len(texts) == 0 || texts[0] == "" {
		return ""
	}
	return strings.Join(texts, "\n")
}

func environment(env map[string]string) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// become makes the world run the deployment. It restarts the programs whose
// configuration has changed. It always restarts the service, because the service
// remembers the addresses of homeservers.
func (w *world) become(ctx context.Context, d deployment) error {
	w.names.set(d)
	if err := w.write(d.website); err != nil {
		return err
	}
	if err := closed(nil); err != nil {
		return err
	}
	for _, p := range slices.Backward(w.parts) {
		if p.running != nil && (p.has != p.input(d) || p.name == "service") {
			p.running.Kill()
			p.running = nil
		}
	}
	for _, p := range w.parts {
		if err := p.begin(ctx, w, d); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if err := w.hang(d.hanging); err != nil {
		return err
	}
	return closed(d.closed)
}

// hang stops the named programs (SIGSTOP), so that they do not answer. The next
// deployment restarts them.
func (w *world) hang(names []string) error {
	for _, p := range w.parts {
		if slices.Contains(names, p.name) && p.running != nil {
			p.has += "\nhanging"
			if err := syscall.Kill(p.running.ID(), syscall.SIGSTOP); err != nil {
				return err
			}
		}
	}
	return nil
}

// input returns the program's configuration in the deployment, or "" if the program
// should not run.
func (p *part) input(d deployment) string {
	if slices.Contains(d.down, p.name) {
		return ""
	}
	return p.wants(d)
}

func (p *part) begin(ctx context.Context, w *world, d deployment) (err error) {
	if p.has = p.input(d); p.running != nil || p.has == "" {
		return nil
	}
	if p.running, err = p.start(ctx, w, d); err != nil && p.running != nil {
		p.running.Kill() // the next deployment restarts the program
		p.running = nil
	}
	return err
}

// end ends all programs of the world, and the name server.
func (w *world) end() {
	for _, p := range slices.Backward(w.parts) {
		if p.running != nil {
			p.running.Kill()
		}
	}
	_ = w.names.conn.Close() // the next world of this process starts its own name server
}

// write replaces the files of the website.
func (w *world) write(website map[string]string) error {
	root := filepath.Join(w.host.Dir, "www")
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	for name, text := range website {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// logs returns the last lines of each program's log.
func (w *world) logs() string {
	var b strings.Builder
	for _, p := range w.parts {
		if p.running != nil {
			fmt.Fprintf(&b, "--- %s\n%s\n", p.name, p.running.Log().Tail(15))
		}
	}
	return b.String()
}
