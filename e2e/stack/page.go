package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// elementCall and esbuild are paths below e2e/page. They exist when the npm packages of
// the page are installed.
const (
	elementCall = "node_modules/@element-hq/element-call-embedded/dist"
	esbuild     = "node_modules/.bin/esbuild"
)

// page holds the paths of the web site for calls: a page and Element Call, which the
// page shows.
type page struct{ index, elementCall, config string }

// Mode is the way in which Element Call says who is in the call.
type Mode string

// Compatibility and Matrix2 are the modes of Element Call 0.26.
const (
	Compatibility Mode = "compatibility" // sends state events, and asks /sfu/get for tokens
	Matrix2       Mode = "matrix_2_0"    // sends sticky events, and asks /get_token for tokens
)

// buildPage bundles the scripts of the page that shows Element Call, and writes Element
// Call's configuration.
func buildPage(ctx context.Context, host *Host, source string, mode Mode) (page, error) {
	p := page{
		index:       filepath.Join(host.Dir, "page"),
		elementCall: filepath.Join(source, elementCall),
		config:      filepath.Join(host.Dir, "element-call.json"),
	}
	cmd := exec.CommandContext(ctx, filepath.Join(source, esbuild), "main.ts",
		"--bundle", "--format=esm", "--log-level=warning", "--outfile="+filepath.Join(p.index, "main.js"))
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("esbuild: %w\n%s", err, out)
	}
	index, err := os.ReadFile(filepath.Join(source, "index.html"))
	if err != nil {
		return p, err
	}
	if err := os.WriteFile(filepath.Join(p.index, "index.html"), index, 0o600); err != nil {
		return p, err
	}
	return p, p.setMode(mode)
}

// setMode writes the mode into Element Call's configuration. Only calls that start
// later use the new mode. The configuration does not name the service, because Element
// Call learns it from the homeserver.
func (p page) setMode(mode Mode) error {
	config, err := json.MarshalIndent(map[string]any{
		"matrix_rtc_mode": mode,
		"matrix_rtc_session": map[string]any{
			"wait_for_key_rotation_ms": 5000,
			"delegated_delayed_leave":  map[string]any{"delay_ms": 3600000, "restart_ms": 300000},
		},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(p.config, config, 0o600)
}

// keepLogin writes a login to a file that the page fetches.
func (p page) keepLogin(name string, login Login) error {
	content, err := json.Marshal(login)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.index, name+".json"), content, 0o600)
}
