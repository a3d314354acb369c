package breakages

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"matrixrtc-auth/e2e/stack"
)

// TestConnectionBundle checks LiveKit's client library and its licence in the page of
// the connection test. Both files must be the same, byte for byte, as in the npm
// package. The lock file pins the version by a hash, and the documentation names the
// version.
func TestConnectionBundle(t *testing.T) {
	tools, err := stack.FindBrowser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const name = "livekit-client"
	for vendored, packaged := range map[string]string{
		"livekit-client.js.gz": "dist/livekit-client.umd.js", "livekit-client.LICENSE.txt.gz": "LICENSE",
	} {
		t.Run(vendored, func(t *testing.T) {
			got, want := inflate(t, "../../testpage/static/"+vendored), read(t, tools.Packaged(name, packaged))
			if len(want) == 0 || !bytes.Equal(got, want) {
				t.Errorf("%s: got %d bytes, want the %d of %s in the package", vendored, len(got), len(want), packaged)
			}
		})
	}
	var installed struct{ Version, License string }
	if err := json.Unmarshal(read(t, tools.Packaged(name, "package.json")), &installed); err != nil {
		t.Fatal(err)
	}
	var locked struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	if err := json.Unmarshal(read(t, "../page/package-lock.json"), &locked); err != nil {
		t.Fatal(err)
	}
	pinned := locked.Packages["node_modules/"+name]
	if installed.Version != pinned.Version || !strings.HasPrefix(pinned.Integrity, "sha512-") || installed.License != "Apache-2.0" {
		t.Errorf("installed: got %s (%s), want %s, which the lock file pins by %q", installed.Version, installed.License, pinned.Version, pinned.Integrity)
	}
	if told := "`" + name + "` " + pinned.Version; !strings.Contains(string(read(t, "../../docs/connection-test.md")), told) {
		t.Errorf("docs/connection-test.md: got no %q, want it", told)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func inflate(t *testing.T, path string) []byte {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
