//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// buildService builds the service with the compiler flags of a release. If
// spoiled is true, the built service has no bound on the size of TLS handshakes
// with strangers' servers.
func buildService(ctx context.Context, binary, dir string, spoiled bool) error {
	args := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", binary}
	if spoiled {
		overlay, err := spoil(dir)
		if err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, ".")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	return build.Run()
}

// boundsFile is the source file that bounds the size of TLS handshakes. bound
// is the code that sets the bound. A spoiled service is built with noBound in
// place of bound.
const (
	boundsFile = "service/wire.go"
	bound      = "maxHandshake = 32 << 10"
	noBound    = "maxHandshake = 0"
)

// spoil writes an overlay file for `go build -overlay`. With this file, the built
// service has no bound on the size of TLS handshakes. spoil returns the file's path.
func spoil(dir string) (overlay string, err error) {
	source, err := os.ReadFile(boundsFile)
	if err != nil {
		return "", err
	}
	if bytes.Count(source, []byte(bound)) != 1 {
		return "", fmt.Errorf("%s must contain the line %q exactly once; change the constants in hostile/build.go", boundsFile, bound)
	}
	spoiled := filepath.Join(dir, "spoiled.go")
	if err := os.WriteFile(spoiled, bytes.Replace(source, []byte(bound), []byte(noBound), 1), 0o644); err != nil {
		return "", err
	}
	original, err := filepath.Abs(boundsFile)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {original: spoiled}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o644)
}
