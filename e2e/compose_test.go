package e2e

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/livekit/protocol/auth"
)

// loadCompose loads compose.yaml as Compose does, with env and the .env that
// users make of .env.example.
func loadCompose(t *testing.T, env ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions(
		[]string{filepath.Join("..", "compose.yaml")},
		cli.WithName("test"),
		cli.WithEnvFiles(filepath.Join("..", ".env.example")),
		cli.WithDotEnv,
		cli.WithEnv(env),
		cli.WithoutEnvironmentResolution, // of env_file: nobody has made .env here
	)
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

// Compose itself accepts compose.yaml, and not without the secret. A
// livekit.yaml that is missing stays missing.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	if _, err := loadCompose(t); err == nil {
		t.Error("compose.yaml without LIVEKIT_SECRET: got no error, want one")
	}
	project, err := loadCompose(t, "LIVEKIT_SECRET="+key.Secret)
	if err != nil {
		t.Fatal(err)
	}
	volumes := project.Services["livekit"].Volumes
	if len(volumes) != 1 || !volumes[0].ReadOnly || volumes[0].Bind == nil || bool(volumes[0].Bind.CreateHostPath) {
		t.Errorf("volumes %+v, want livekit.yaml alone, read only and never created", volumes)
	}
}

// LiveKit takes key and secret out of LIVEKIT_KEYS as compose.yaml writes it,
// also a secret of digits: what is not a text it drops silently.
func TestComposeKeys(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{"letters": key.Secret, "digits": "12345678901234567890123456789012"} {
		t.Run(name, func(t *testing.T) {
			project, err := loadCompose(t, "LIVEKIT_SECRET="+secret)
			if err != nil {
				t.Fatal(err)
			}
			keys := project.Services["livekit"].Environment["LIVEKIT_KEYS"]
			if keys == nil {
				t.Fatal("the environment of livekit: got no LIVEKIT_KEYS, want them")
			}
			token, err := auth.ParseAPIToken(signedBySFU(t, *keys))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := token.Verify(secret); err != nil || token.APIKey() != key.ID {
				t.Errorf("with %s: got LiveKit's token signed as %q (%v), want %q", *keys, token.APIKey(), err, key.ID)
			}
		})
	}
}

// signedBySFU has the SFU's program, which starts no SFU for that, sign a token
// with the first pair of keys.
func signedBySFU(t *testing.T, keys string) string {
	t.Helper()
	command := exec.CommandContext(within(t, 20*time.Second), programs.SFU,
		"create-join-token", "--room", "room", "--identity", "alice")
	command.Env = []string{"LIVEKIT_KEYS=" + keys}
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("livekit-server create-join-token: got %v\n%s\nwant no error", err, output)
	}
	return regexp.MustCompile(`eyJ[\w.-]+|$`).FindString(string(output))
}
