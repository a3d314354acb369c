package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"matrixrtc-auth/internal/command/commandtest"
	"matrixrtc-auth/setup"
)

// written makes setup write the files of a deployment, with the host names that
// the documents use. It returns the folder of these files.
func written(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var out bytes.Buffer
	args := []string{
		"--server-name", "example.org", "--jwt-host", "jwt.example.org", "--sfu-host", "sfu.example.org",
		"--base-url", "https://matrix.example.org", "--dir", dir,
	}
	if code := commandtest.Run(t.Context(), setup.Command(os.DirFS(".")), args, nil, &out, &out); code != 0 {
		t.Fatalf("setup %q: got exit code %d, want 0\n%s", args, code, out.String())
	}
	return dir
}

// TestDocHomeserver checks that docs/homeserver.md has the same settings as the
// files that setup writes.
func TestDocHomeserver(t *testing.T) {
	dir, page := written(t), read(t, "docs/homeserver.md")
	additions := read(t, filepath.Join(dir, "homeserver-additions.yaml"))
	settings := blocks(page, "yaml")
	if len(settings) != 2 {
		t.Errorf("blocks of YAML in docs/homeserver.md: got %d, want that of Synapse and that of its well-known file", len(settings))
	}
	for _, block := range settings {
		if !strings.Contains(additions, block) {
			t.Errorf("homeserver-additions.yaml: got\n%s\nwant in it what docs/homeserver.md has:\n%s", additions, block)
		}
	}
	var want, got any
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "well-known-client.json"))), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(strings.Join(blocks(page, "json"), "")), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the well-known file in docs/homeserver.md: got %v, %v, want what setup writes, %v", got, err, want)
	}
}

// TestDocSynology checks the tables in docs/synology.md for DSM's reverse proxy
// and for the router. Setup must write the same rows.
func TestDocSynology(t *testing.T) {
	dir := written(t)
	page := strings.Split(read(t, "docs/synology.md"), "\n")
	for file, start := range map[string][]string{
		"reverse-proxy.md": {"| Field |", "| Reverse Proxy Name |", "| Source: ", "| Destination: ", "| Custom Header |"},
		"ports.md":         {"| 443 |", "| 80 |", "| 7881 |", "| 20000–20200 |"},
	} {
		t.Run(file, func(t *testing.T) {
			text := read(t, filepath.Join(dir, file))
			for _, prefix := range start {
				found := false
				for _, line := range page {
					if !strings.HasPrefix(line, prefix) {
						continue
					}
					found = true
					if row := columns(line); !strings.Contains(text, row) {
						t.Errorf("docs/synology.md has %q, %s has not: got %s, want %q in it", row, file, text, row)
					}
				}
				if !found {
					t.Errorf("docs/synology.md: got no row %s, want it", prefix)
				}
			}
		})
	}
}

// columns returns the part of a table's row that must be the same in
// docs/synology.md and in the file that setup writes. The last cell of a row
// about a port is a description, which may differ. So columns leaves it out.
func columns(row string) string {
	if strings.Contains(row, "TCP") || strings.Contains(row, "UDP") {
		return strings.Join(strings.SplitAfter(row, "|")[:3], "")
	}
	return row
}

// TestSetupFiles checks that docs/setup.md names every file that setup writes,
// and that docs/synology.md gives the number of these files.
func TestSetupFiles(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	args := []string{"--server-name", "example.org", "--single-host", "example.org", "--dir", dir}
	if code := commandtest.Run(t.Context(), setup.Command(os.DirFS(".")), args, nil, &out, &out); code != 0 {
		t.Fatalf("setup %q: got exit code %d, want 0\n%s", args, code, out.String())
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	page := read(t, "docs/setup.md")
	for _, file := range files {
		if !strings.Contains(page, "`"+file.Name()+"`") {
			t.Errorf("docs/setup.md: got no file %s, want it", file.Name())
		}
	}
	if !strings.Contains(read(t, "docs/synology.md"), "shows thirteen files") || len(files) != 13 {
		t.Errorf("files that setup writes: got %d, want the thirteen of docs/synology.md", len(files))
	}
}
