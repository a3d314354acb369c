package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Tools are the paths of programs and files that e2e/install.sh installs.
type Tools struct {
	Python   string // the Python interpreter of the virtualenv that contains Synapse
	Nginx    string
	Redis    string
	Page     string // the folder e2e/page with the page's npm packages
	Chromium string
	Certutil string
	Curl     string
	Buildah  string
	Skopeo   string
	Busybox  string // a statically linked BusyBox, which images can contain
	Caddy    string
	HAProxy  string
}

// FindTools finds all tools except those for the browser. Its error names the missing
// tools.
func FindTools(ctx context.Context) (Tools, error) {
	repository, err := Repository(ctx)
	if err != nil {
		return Tools{}, err
	}
	var f finder
	t := Tools{
		Python: f.file(filepath.Join(repository, "build", "synapse", "bin", "python")),
		Page:   filepath.Join(repository, "e2e", "page"),
		Nginx:  f.program("nginx"),
	}
	f.file(filepath.Join(t.Page, elementCall, "index.html"))
	f.file(filepath.Join(t.Page, esbuild))
	return t, f.fault()
}

// FindServers finds the programs of a deployment, and all reverse proxies that tests
// use. Its error names the missing programs.
func FindServers(ctx context.Context) (Tools, error) {
	repository, err := Repository(ctx)
	if err != nil {
		return Tools{}, err
	}
	var f finder
	t := Tools{
		Python: f.file(filepath.Join(repository, "build", "synapse", "bin", "python")),
		Nginx:  f.program("nginx"), HAProxy: f.program("haproxy"), Caddy: f.program("caddy"),
		Redis: f.program("redis-server"),
	}
	f.program("ip")
	f.program("iptables")
	return t, f.fault()
}

// FindBrowserTools finds all tools, also those for the browser. Its error names the
// missing tools.
func FindBrowserTools(ctx context.Context) (Tools, error) {
	t, err := FindTools(ctx)
	if err != nil {
		return t, err
	}
	var f finder
	t.Redis = f.program("redis-server")
	t.Chromium = f.program("chromium")
	t.Certutil = f.program("certutil")
	t.Curl = f.program("curl")
	t.Buildah = f.program("buildah")
	t.Skopeo = f.program("skopeo")
	t.Busybox = f.program("busybox")
	t.Caddy = f.program("caddy")
	return t, f.fault()
}

// FindBrowser finds only the browser, and the npm packages for tests with it. Its error
// names what is missing.
func FindBrowser(ctx context.Context) (Tools, error) {
	repository, err := Repository(ctx)
	if err != nil {
		return Tools{}, err
	}
	var f finder
	t := Tools{Chromium: f.program("chromium"), Certutil: f.program("certutil"), Page: filepath.Join(repository, "e2e", "page")}
	for _, name := range []string{"axe-core", "livekit-client"} {
		f.file(t.Packaged(name, "package.json"))
	}
	return t, f.fault()
}

// Packaged returns the path of a file in an installed npm package.
func (t Tools) Packaged(name, file string) string {
	return filepath.Join(t.Page, "node_modules", name, filepath.FromSlash(file))
}

// finder looks for tools, and collects the names of those that are missing.
type finder struct{ missing []string }

// program looks for a program in PATH, and in the directories in which Debian has
// programs for administrators.
func (f *finder) program(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	f.missing = append(f.missing, name)
	return ""
}

func (f *finder) file(path string) string {
	if _, err := os.Stat(path); err != nil {
		f.missing = append(f.missing, path)
	}
	return path
}

func (f *finder) fault() error {
	if len(f.missing) == 0 {
		return nil
	}
	return fmt.Errorf("missing: %s (e2e/install.sh installs it)", strings.Join(f.missing, ", "))
}
