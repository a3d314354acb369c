package e2e

import (
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
)

// Compose itself accepts compose.yaml with the .env that users make of
// .env.example, and not without the secret.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	load := func(env ...string) error {
		options, err := cli.NewProjectOptions(
			[]string{filepath.Join("..", "compose.yaml")},
			cli.WithName("test"),
			cli.WithEnvFiles(filepath.Join("..", ".env.example")),
			cli.WithDotEnv,
			cli.WithEnv(env),
			cli.WithoutEnvironmentResolution, // of env_file: nobody has made .env here
		)
		if err != nil {
			return err
		}
		_, err = options.LoadProject(t.Context())
		return err
	}
	if err := load("LIVEKIT_SECRET=" + key.Secret); err != nil {
		t.Error(err)
	}
	if err := load(); err == nil {
		t.Error("it is accepted without LIVEKIT_SECRET")
	}
}
