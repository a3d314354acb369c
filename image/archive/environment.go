package archive

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// kept are the Go settings that Environment copies from this machine. They say
// where Go finds modules and where it keeps files. They do not change the
// compiled program.
var kept = []string{
	"GOAUTH", "GOCACHE", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY",
	"GOSUMDB", "GOTMPDIR", "GOTOOLCHAIN", "GOVCS",
}

// pinned are the Go settings that can change the compiled program. They have
// Go's default values. GOENV=off keeps the go command from reading other
// settings from the file of `go env -w`.
var pinned = []string{
	"GOENV=off", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOAMD64=v1", "GOARM64=v8.0",
}

// Environment returns an environment in which the go command compiles the same
// program on every machine.
func Environment(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, "go", append([]string{"env"}, kept...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("asking Go for its settings: %w", err)
	}
	values := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(values) != len(kept) {
		return nil, fmt.Errorf("go env was asked for %d settings and answered %q", len(kept), out)
	}
	settings := os.Environ()
	for i, name := range kept {
		settings = append(settings, name+"="+strings.TrimSuffix(values[i], "\r"))
	}
	return slices.Concat(settings, pinned), nil
}
