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

// loadCompose loads compose.yaml as Compose does, with the variables in env. Users make
// the file .env from .env.example. loadCompose reads .env.example instead of a .env.
func loadCompose(t *testing.T, env ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions(
		[]string{filepath.Join("..", "compose.yaml")},
		cli.WithName("test"),
		cli.WithEnvFiles(filepath.Join("..", ".env.example")),
		cli.WithDotEnv,
		cli.WithEnv(env),
		cli.WithoutEnvironmentResolution, // the file .env, which compose.yaml names, does not exist here
	)
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

// TestComposeFile checks that Compose accepts compose.yaml, and refuses it if the
// secret is not set. Compose must not create livekit.yaml if that file does not exist.
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
		t.Errorf("volumes of LiveKit: got %+v, want only livekit.yaml, read only and never created", volumes)
	}
}

// TestComposeKeys checks that LiveKit can read the variable LIVEKIT_KEYS that
// compose.yaml sets. The secret may consist of digits. Without quotation marks, LiveKit
// would silently drop such a secret.
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

// signedBySFU makes the SFU's program sign a token with the first key in keys. It does
// not start an SFU.
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
