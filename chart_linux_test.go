package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu/sfutest"
)

// deployed holds fakes of the servers that other people's deployments have: LiveKit,
// and a homeserver. Inside the cluster, the homeserver's Client-Server API is also
// there over plain HTTP.
type deployed struct {
	t      *testing.T
	home   *matrixtest.Server
	inside string // the homeserver's URL without TLS
	sfu    *sfutest.Server
	dir    string // the folder for the test's files; all users can enter it
	binary string
}

func newDeployed(t *testing.T, binary string) *deployed {
	t.Helper()
	d := &deployed{t: t, home: matrixtest.NewServer(), sfu: sfutest.NewServer(scriptKey), dir: t.TempDir(), binary: binary}
	t.Cleanup(d.home.Close)
	t.Cleanup(d.sfu.Close)
	inside := httptest.NewServer(http.HandlerFunc(d.home.ServeHTTP))
	t.Cleanup(inside.Close)
	d.inside = inside.URL
	for _, path := range []string{d.dir, filepath.Dir(d.dir), filepath.Dir(binary), filepath.Dir(filepath.Dir(binary))} {
		must(t, os.Chmod(path, 0o755))
	}
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// chartUser is the user id with which the chart's container runs.
const chartUser = 10033

// secrets writes files as Kubernetes mounts a Secret. Each file is a link into
// a folder, and that folder is also a link. The files belong to root, and only
// the group of the pod may read them.
func (d *deployed) secrets(name string, files map[string]string) (dir string) {
	d.t.Helper()
	dir = filepath.Join(d.dir, name)
	data := filepath.Join(dir, "..2026_11_29_12_00_00.1234567890")
	must(d.t, os.MkdirAll(data, 0o755))
	must(d.t, os.Symlink(filepath.Base(data), filepath.Join(dir, "..data")))
	for file, text := range files {
		must(d.t, os.WriteFile(filepath.Join(data, file), []byte(text), 0o440))
		if os.Getuid() == 0 {
			must(d.t, os.Chown(filepath.Join(data, file), 0, chartUser))
		}
		must(d.t, os.Symlink(filepath.Join("..data", file), filepath.Join(dir, file)))
	}
	return dir
}

// clusterName is this machine's host name in the test. It looks like a name in
// a Kubernetes cluster.
const clusterName = "all.ess.svc.test"

// named replaces the host in url by [clusterName] and a dot, because the chart
// writes names with a dot at the end. Only root can make the program find this
// name. So if this process is not root, named returns url unchanged.
func (d *deployed) named(url string) string {
	if os.Getuid() != 0 {
		return url
	}
	return strings.Replace(url, "127.0.0.1", clusterName+".", 1)
}

// command returns a command that runs the program. If this process is root, the
// program runs as the chart's user, and sees another /etc/hosts.
func (d *deployed) command() *exec.Cmd {
	d.t.Helper()
	if os.Getuid() != 0 {
		return exec.Command(d.binary)
	}
	hosts := filepath.Join(d.dir, "hosts")
	must(d.t, os.WriteFile(hosts, []byte("127.0.0.1 localhost "+clusterName+"\n"), 0o644))
	const script = `mount --bind "$1" /etc/hosts && exec setpriv --reuid=$3 --regid=$3 --clear-groups --bounding-set=-all --no-new-privs "$2"`
	return exec.Command("unshare", "--mount", "sh", "-c", script, "sh", hosts, d.binary, fmt.Sprint(chartUser))
}

// start starts the program. The program's environment is env, PATH, and a
// certificate file that makes it trust the homeserver.
func (d *deployed) start(env ...string) *process {
	d.t.Helper()
	certificates := filepath.Join(d.dir, "ca-certificates.crt")
	must(d.t, os.WriteFile(certificates, d.home.CACert(), 0o644))
	s := &process{cmd: d.command(), log: filepath.Join(d.t.TempDir(), "log"), exited: make(chan struct{})}
	log, err := os.Create(s.log)
	must(d.t, err)
	defer log.Close()
	s.cmd.Stderr, s.cmd.Dir = log, "/"
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + certificates}, env...)
	must(d.t, s.cmd.Start())
	go func() {
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	d.t.Cleanup(s.kill)
	line, started := s.await(regexp.MustCompile(`msg=listening address=(\S+)`))
	if !started {
		d.t.Fatalf("the program does not start:\n%s", s.text())
	}
	s.address = line[1]
	return s
}

// wantServing checks that a user gets a token from the service directly.
func (d *deployed) wantServing(s *process) {
	d.t.Helper()
	alice := d.home.UserID("alice")
	body := fmt.Sprintf(`{"room":"!room:example.org","device_id":"D","openid_token":{"access_token":%q,"matrix_server_name":%q,"token_type":"Bearer","expires_in":3600}}`,
		d.home.IssueToken(alice), d.home.Name())
	d.wantToken("http://"+s.address+"/sfu/get", "", body, s)
}

// wantProxied checks that a user gets a token through the homeserver.
func (d *deployed) wantProxied(s *process) {
	d.t.Helper()
	alice := d.home.UserID("alice")
	d.home.Join("!room:example.org", alice)
	body := fmt.Sprintf(`{"url":%q,"room_id":"!room:example.org","slot_id":"m.call#ROOM","member_id":"m"}`, d.sfu.URL())
	d.wantToken(d.inside+"/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token", d.home.Login(alice), body, s)
}

func (d *deployed) wantToken(url, bearer, body string, s *process) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, url, bytes.NewReader([]byte(body)))
	must(d.t, err)
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := http.DefaultClient.Do(req)
	must(d.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(d.t, err)
	var answer struct{ JWT string }
	if json.Unmarshal(text, &answer) != nil || resp.StatusCode != http.StatusOK || answer.JWT == "" {
		d.t.Errorf("POST %s: %d %s, want a token\n%s", url, resp.StatusCode, text, s.text())
	}
}

// chartRegistration is the registration of the application service as the chart
// writes it. Its regex is not escaped and not anchored, and the host of its
// proxy_url ends in a dot.
const chartRegistration = `id: matrix-rtc-authorisation-service
as_token: %s
hs_token: %s
sender_localpart: _lk_jwt_service
url: null
rate_limited: false
namespaces:
  users:
    - exclusive: false
      regex: "@.*:%s"
io.element.msc4502.scopes: ["urn:matrix:client:io.element.msc4502:rooms:is_joined"]
io.element.msc4512.proxy_prefix: rtc/livekit
io.element.msc4512.proxy_url: "http://ess-matrix-rtc-authorisation-service.ess.svc.cluster.local.:8080"
`

// TestChartEnvironment starts the service with the environment, the files and
// the user that the Helm chart of Element Server Suite sets. Only the listening
// address differs. The service must become ready and serve clients. Version
// 26.8.1 of the chart runs the service standalone. Later versions run it in the
// application-service mode.
func TestChartEnvironment(t *testing.T) {
	const password = `p:a/s#s@w%o?r&d "raw" \$`
	binary, redis := buildBinary(t), miniredis.RunT(t)
	redis.RequireAuth(password)
	for name, c := range map[string]struct{ standalone, shared bool }{
		"26.8.1": {standalone: true}, "without Redis": {}, "with Redis": {shared: true},
	} {
		t.Run(name, func(t *testing.T) {
			redis.FlushAll() // removes what the stopped replicas of the previous test have stored for other replicas
			d := newDeployed(t, binary)
			server := d.home.Name().String()
			files := d.secrets("secrets", map[string]string{
				"ELEMENT_CALL_LIVEKIT_SECRET": scriptKey.Secret.Reveal() + "\n",
				"MATRIX_RTC_REGISTRATION":     fmt.Sprintf(chartRegistration, scriptASToken, scriptHSToken, server),
			})
			env := []string{
				"LIVEKIT_KEY=" + scriptKey.ID,
				"LIVEKIT_SECRET_FROM_FILE=" + filepath.Join(files, "ELEMENT_CALL_LIVEKIT_SECRET"),
				"LIVEKIT_URL=" + d.sfu.URL(),
				"LIVEKIT_FULL_ACCESS_HOMESERVERS=" + server,
				"LIVEKIT_CS_API_URL_OVERRIDES=" + server + "=" + d.named(d.inside),
				"LIVEKIT_JWT_BIND=127.0.0.1:0",
			}
			if !c.standalone {
				env = append(env, "LIVEKIT_AS_REGISTRATION_FILE="+filepath.Join(files, "MATRIX_RTC_REGISTRATION"), "LIVEKIT_HS_SERVER_NAME="+server)
			}
			if c.shared {
				env = append(env, "LIVEKIT_REDIS_URL=redis://"+d.named(redis.Addr()), "LIVEKIT_REDIS_PASSWORD="+password)
			}
			s := d.start(env...)
			if !c.standalone {
				d.home.Register(matrixtest.Registered{
					ID: "matrix-rtc-authorisation-service", SenderLocalpart: "_lk_jwt_service", Server: server,
					ASToken: scriptASToken, HSToken: scriptHSToken, ProxyURL: "http://" + s.address,
				})
				if _, ready := s.await(regexp.MustCompile(`application service: ready`)); !ready {
					t.Errorf("got this log, want \"application service: ready\" in it:\n%s", s.text())
				}
				d.wantProxied(s)
			}
			d.wantServing(s)
			if log := s.text(); strings.Contains(log, `warning="LIVEKIT_AS_`) || strings.Contains(log, password) || strings.Contains(log, "level=ERROR") {
				t.Errorf("got this log, want no doubt about the registration, no password and no error in it:\n%s", log)
			}
			if used := len(redis.Keys()) > 0; used != c.shared {
				t.Errorf("Redis is used: got %v, want %v", used, c.shared)
			}
		})
	}
}

// TestPlaybookEnvironment starts the service with the environment file of the
// Ansible playbook. This file sets unused variables to an empty text. The
// service must start and serve clients.
func TestPlaybookEnvironment(t *testing.T) {
	binary := buildBinary(t)
	for name, registered := range map[string]bool{"standalone": false, "application service": true} {
		t.Run(name, func(t *testing.T) {
			d := newDeployed(t, binary)
			server := d.home.Name().String()
			env := []string{
				"LIVEKIT_JWT_BIND=127.0.0.1:0", "LIVEKIT_JWT_PORT=", "LIVEKIT_KEY=" + scriptKey.ID, "LIVEKIT_SECRET=" + scriptKey.Secret.Reveal(),
				"LIVEKIT_URL=" + d.sfu.URL(), "LIVEKIT_FULL_ACCESS_HOMESERVERS=" + server,
				"LIVEKIT_KEY_FROM_FILE=", "LIVEKIT_SECRET_FROM_FILE=", "LIVEKIT_KEY_FILE=", "LIVEKIT_AS_REGISTRATION_FILE=",
				"LIVEKIT_REDIS_URL=", "LIVEKIT_REDIS_PASSWORD=", "LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS=", "LIVEKIT_LOG_LEVEL=",
				"LIVEKIT_INSECURE_SKIP_VERIFY_TLS=", "LIVEKIT_CAN_UPDATE_OWN_METADATA=", "LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS=",
			}
			if registered {
				env = append(env, "LIVEKIT_HS_SERVER_NAME="+server, "LIVEKIT_AS_TOKEN="+scriptASToken, "LIVEKIT_HS_TOKEN="+scriptHSToken,
					"LIVEKIT_CS_API_URL_OVERRIDES="+server+"="+d.inside)
			} else {
				env = append(env, "LIVEKIT_HS_SERVER_NAME=", "LIVEKIT_AS_TOKEN=", "LIVEKIT_HS_TOKEN=", "LIVEKIT_CS_API_URL_OVERRIDES=")
			}
			s := d.start(env...)
			d.home.Register(matrixtest.Registered{
				ID: "matrix-rtc", SenderLocalpart: "matrix-rtc", Server: server,
				ASToken: scriptASToken, HSToken: scriptHSToken, ProxyURL: "http://" + s.address,
			})
			d.wantServing(s)
			if registered {
				d.wantProxied(s)
			}
			if strings.Contains(s.text(), "level=ERROR") {
				t.Errorf("got this log, want no error in it:\n%s", s.text())
			}
		})
	}
}
