// Package deploytest runs the program with a fake homeserver and a fake SFU.
// The tests of the systemd units, the alerts, the dashboard and the Helm chart
// use it.
package deploytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// MaxWait is how long a test waits for an expected event.
const MaxWait = time.Minute

// key is the API key that the fake SFU and the program share.
var key = sfu.Key{ID: "deploy", Secret: secret.New("a-secret-of-the-deployments-0123456789")}

// Build compiles the program with this version number, and returns the path of
// the binary.
func Build(t *testing.T, version string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "matrixrtc-auth")
	build := exec.Command("go", "build", "-ldflags=-X main.version="+version, "-o", path, ".")
	build.Dir = root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// root returns the folder of the program's source.
func root(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "matrixrtc-auth").Output()
	if err != nil {
		t.Fatalf("go list -m matrixrtc-auth: %v", err)
	}
	return strings.TrimSpace(string(dir))
}

// Around holds the fake homeserver and the fake SFU that the program needs.
type Around struct {
	Home *matrixtest.Server
	SFU  *sfutest.Server
	// Env holds the program's environment variables. They name the fake
	// homeserver and the fake SFU, and turn off the rate limits of users.
	Env []string
}

// NewAround starts a fake homeserver and a fake SFU on loopback.
func NewAround(t *testing.T) *Around {
	t.Helper()
	a := &Around{Home: matrixtest.NewServer(), SFU: sfutest.NewServer(key)}
	t.Cleanup(a.Home.Close)
	t.Cleanup(a.SFU.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, a.Home.CACert(), 0o600); err != nil {
		t.Fatal(err)
	}
	a.Env = []string{
		"LIVEKIT_URL=" + a.SFU.URL(),
		"LIVEKIT_KEY=" + key.ID,
		"LIVEKIT_SECRET=" + key.Secret.Reveal(),
		"LIVEKIT_FULL_ACCESS_HOMESERVERS=" + a.Home.Name().String(),
		"LIVEKIT_CA_FILE=" + authority,
		"LIVEKIT_RATE_LIMIT=off",
	}
	return a
}

// AskToken makes a new OpenID token for user. Then it uses client to exchange
// this token for a LiveKit token, at the service that listens on address.
func (a *Around) AskToken(client *http.Client, address, user string) error {
	body := fmt.Sprintf(`{"room":"!room:example.org","device_id":"D","openid_token":{"access_token":%q,"matrix_server_name":%q,"token_type":"Bearer","expires_in":3600}}`,
		a.Home.IssueToken(a.Home.UserID(user)), a.Home.Name())
	resp, err := client.Post("http://"+address+"/sfu/get", "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct{ JWT string }
	if err := json.Unmarshal(text, &answer); err != nil || answer.JWT == "" {
		return fmt.Errorf("the request for a token was answered with %s: %s", resp.Status, text)
	}
	return nil
}
