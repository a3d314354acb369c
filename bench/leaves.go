package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
	"matrixrtc-auth/token"
)

const (
	idleJobs, idleRooms = 100_000, 2_000
	idleWindow          = 60 * time.Second // in this time, the service asks the SFU about each room once
	idleShare           = 0.02             // the service should use at most this share of one processor
	maxGoroutines       = 100
	shortJobs           = 10_000
	shortDelay          = 18 * time.Second
	shortWindow         = time.Minute
	slowAnswer          = 20 * time.Millisecond
	delegators          = 32
)

// leaveWorld is a service with delegated leaves. The homeserver and the SFU
// run in the benchmark's own process, so the measured costs are the service's
// alone.
type leaveWorld struct {
	*lab
	service    *subject   // the first process of the service
	replicas   []*subject // all running processes of the service
	addrs      []string   // the addresses of all processes of the service, also of killed ones
	homeserver *matrixtest.Server
	sfu        *sfutest.Server
	metrics    string // the address at which the first process serves its metrics
	client     http.Client
}

func (l *lab) openLeaves(ctx context.Context) (*leaveWorld, error) {
	return l.openReplicas(ctx, 1, "LIVEKIT_STORE=memory", "LIVEKIT_DELAYED_EVENT_RATE=off")
}

// openReplicas starts n processes of the service. env holds additional
// environment variables.
func (l *lab) openReplicas(ctx context.Context, n int, env ...string) (*leaveWorld, error) {
	w := &leaveWorld{
		lab: l, homeserver: matrixtest.NewServer(),
		sfu:    sfutest.NewServer(sfu.Key{ID: apiKey, Secret: secret.New(apiSecret)}),
		client: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: delegators}},
	}
	ca := filepath.Join(l.dir, "leaves-ca.pem")
	if err := os.WriteFile(ca, w.homeserver.CACert(), 0o600); err != nil {
		return nil, err
	}
	for range n {
		metrics, err := freeAddr()
		if err != nil {
			return nil, err
		}
		s, err := l.launchService(ctx, append([]string{
			"LIVEKIT_URL=" + w.sfu.URL(), "LIVEKIT_KEY=" + apiKey, "LIVEKIT_SECRET=" + apiSecret,
			"LIVEKIT_FULL_ACCESS_HOMESERVERS=" + w.homeserver.Name().String(), "LIVEKIT_CA_FILE=" + ca,
			"LIVEKIT_RATE_LIMIT=off", "LIVEKIT_LOG_LEVEL=warn", "LIVEKIT_METRICS_BIND=" + metrics,
		}, env...))
		if err != nil {
			w.close()
			return nil, err
		}
		w.replicas, w.addrs = append(w.replicas, s), append(w.addrs, s.addr)
		if w.service == nil {
			w.service, w.metrics = s, metrics
		}
	}
	return w, nil
}

func (w *leaveWorld) close() {
	for _, s := range w.replicas {
		_ = s.stop() // ignore the error that stop returns for a replica that the benchmark has killed
	}
	w.sfu.Close()
	w.homeserver.Close()
}

// fill makes participants join, each with a delegated leave. jobs is the number
// of participants. fill waits until the service has seen all of them on the
// SFU.
func (w *leaveWorld) fill(ctx context.Context, jobs, rooms int, delay time.Duration) error {
	if err := w.handOver(ctx, 0, jobs, rooms, delay); err != nil {
		return err
	}
	return w.awaitConnected(ctx, jobs)
}

// handOver makes participants join, each with a delegated leave. jobs is the
// number of these participants. first is the number of the first participant.
func (w *leaveWorld) handOver(ctx context.Context, first, jobs, rooms int, delay time.Duration) error {
	client := sfu.NewClient(w.sfu.APIURL(), sfu.Always(sfu.Key{ID: apiKey, Secret: secret.New(apiSecret)}), sfu.NewHTTPClient(nil, nil))
	for i := range rooms {
		if err := client.CreateRoom(ctx, roomOf(i)); err != nil {
			return err
		}
	}
	users := make([]string, jobs/50+1)
	for i := range users {
		users[i] = w.homeserver.IssueToken(w.homeserver.UserID(fmt.Sprint("user", first/50+i)))
	}
	var next atomic.Int64
	var running sync.WaitGroup
	var failed atomic.Pointer[error]
	for range delegators {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < jobs && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := w.delegate(ctx, first+i, rooms, users[i/50], delay); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// roomOf returns the LiveKit room of the i-th Matrix room.
func roomOf(i int) sfu.Room {
	id, err := matrix.ParseRoomID(fmt.Sprintf("!room%d:example.org", i))
	if err != nil {
		panic(err) // does not happen, because the name is valid
	}
	return token.RoomName(id, matrix.RoomCall)
}

func (w *leaveWorld) delegate(ctx context.Context, i, rooms int, openID string, delay time.Duration) error {
	user := w.homeserver.UserID(fmt.Sprint("user", i/50))
	device := fmt.Sprintf("DEVICE%d", i)
	w.sfu.Join(roomOf(i%rooms), sfu.Identity(user+":"+device))
	w.homeserver.Schedule(delayID(i), delay)
	body := w.tokenBody(i%rooms, device, openID, delayID(i), delay)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.replicas[i%len(w.replicas)].addr+"/sfu/get", bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the service refused to take over leave %d: %s %s", i, resp.Status, answer)
	}
	return err
}

// delayID returns the delay id of the i-th leave.
func delayID(i int) string { return fmt.Sprintf("syd_%08d", i) }

// tokenBody returns the body of a request for a token. With the same request,
// the client hands over a delegated leave.
func (w *leaveWorld) tokenBody(room int, device, openID, delayID string, delay time.Duration) string {
	return fmt.Sprintf(`{"room":"!room%d:example.org","device_id":%q,"openid_token":{"access_token":%q,"matrix_server_name":%q},"delay_id":%q,"delay_timeout":%d}`,
		room, device, openID, w.homeserver.Name(), delayID, delay.Milliseconds())
}

func (w *leaveWorld) awaitConnected(ctx context.Context, jobs int) error {
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		n, err := w.metric(ctx, `matrixrtc_auth_leave_jobs{state="connected"}`)
		if err != nil {
			return err
		}
		if int(n) == jobs {
			return nil
		}
	}
	return fmt.Errorf("the service has not yet seen all %d participants on the SFU", jobs)
}

// metric returns the value of one of the service's metrics.
func (w *leaveWorld) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	match := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("the service's metrics do not contain %s", name)
	}
	return strconv.ParseFloat(string(match[1]), 64)
}
