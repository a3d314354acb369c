package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/rogpeppe/go-internal/testscript"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix/matrixtest"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// scriptKey is the API key that all scripts use. Some scripts also use
// secondKey.
var (
	scriptKey = sfu.Key{ID: "scripts", Secret: secret.New("a-secret-of-the-scripts-0123456789")}
	secondKey = sfu.Key{ID: "second", Secret: secret.New("a-second-secret-of-the-scripts-0123456789")}
)

// waitTime is how long a script waits for an event before it fails.
const waitTime = 30 * time.Second

// lab holds the service of one script, and the fake servers around it.
type lab struct {
	ca          *matrixtest.CA
	homeservers map[string]*matrixtest.Server
	sfu         *sfutest.Server
	service     *process
	marks       int         // how many times the script has used the command `logged`
	pending     chan answer // receives the answer to the last `http &`
	last        answer
	closers     []func()
	held        chan struct{} // closing this channel ends `homeserver VAR is held`
	asked       chan struct{} // receives a value when a request arrives during `homeserver VAR is held`
}

type labKey struct{}

func labOf(ts *testscript.TestScript) *lab { return ts.Value(labKey{}).(*lab) }

func (l *lab) close() {
	l.release()
	if l.service != nil {
		l.service.kill()
	}
	if l.sfu != nil {
		l.sfu.Close()
	}
	for _, h := range l.homeservers {
		h.Close()
	}
	for _, f := range l.closers {
		f()
	}
}

// The script command `homeserver VAR` starts a homeserver and sets VAR to its
// server name.
//
// `homeserver VAR answers STATUS BODY` sets the homeserver's answer to every
// request. After `homeserver VAR is held`, the homeserver does not answer until
// `homeserver VAR is released`. `homeserver VAR is asked` waits until a request
// waits for an answer. `homeserver VAR is gone` stops the homeserver.
func cmdHomeserver(ts *testscript.TestScript, neg bool, args []string) {
	l := labOf(ts)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: homeserver VAR [answers STATUS BODY | is held | is asked | is released | is gone]")
	}
	h := l.homeservers[ts.Getenv(args[0])]
	switch strings.Join(args[1:min(len(args), 3)], " ") {
	case "":
		h = matrixtest.NewServer(matrixtest.SignedBy(l.ca))
		l.homeservers[h.Name().String()] = h
		ts.Setenv(args[0], h.Name().String())
	case "is held":
		l.hold(h)
	case "is asked":
		<-l.asked
	case "is released":
		l.release()
	case "is gone":
		h.Close()
	default:
		var status int
		if _, err := fmt.Sscan(args[2], &status); err != nil || args[1] != "answers" || len(args) != 4 {
			ts.Fatalf("homeserver: %q is not known", args[1:])
		}
		h.Script(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, args[3])
		})
	}
}

func (l *lab) hold(h *matrixtest.Server) {
	held, asked := make(chan struct{}), make(chan struct{}, 100)
	l.held, l.asked = held, asked
	h.Script(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-held
		h.Script(nil)
		h.ServeHTTP(w, r)
	})
}

func (l *lab) release() {
	if l.held != nil {
		close(l.held)
		l.held = nil
	}
}

// The script command `openid VAR USER [at SERVER]` sets VAR to a new OpenID
// token for USER. USER's own homeserver issues the token. With SERVER, the
// homeserver SERVER issues it, although USER belongs to another homeserver.
func cmdOpenID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 && len(args) != 4 {
		ts.Fatalf("usage: openid VAR USER [at SERVER]")
	}
	_, server, _ := strings.Cut(args[1], ":")
	if len(args) == 4 {
		server = args[3]
	}
	h := labOf(ts).homeservers[server]
	if h == nil {
		ts.Fatalf("there is no homeserver %s", server)
	}
	ts.Setenv(args[0], h.IssueToken(args[1]))
}

// The script command `sfu` starts an SFU and sets LIVEKIT_URL to its URL.
//
// `sfu fails` makes the SFU refuse every call. `sfu restarts` restarts the SFU
// without its rooms. `sfu closes` makes it close its rooms and send webhooks
// about that. `sfu rooms` prints the number of its rooms. `sfu tells` makes it
// send webhooks about the sessions that the service has ended.
func cmdSFU(ts *testscript.TestScript, neg bool, args []string) {
	l := labOf(ts)
	switch what := strings.Join(args, " "); {
	case neg || l.sfu == nil && what != "":
		ts.Fatalf("usage: sfu [fails | restarts | closes | rooms | tells]")
	case what == "":
		l.sfu = sfutest.NewServer(scriptKey)
		ts.Setenv("LIVEKIT_URL", l.sfu.URL())
	case what == "fails":
		l.sfu.FailAlways(sfutest.Status(http.StatusBadGateway))
	case what == "restarts":
		l.sfu.Restart()
	case what == "closes":
		for _, room := range l.sfu.Rooms() {
			l.sfu.CloseRoom(sfu.Room(room.Name))
			tell(ts, &livekit.WebhookEvent{Event: "room_finished", Room: &livekit.Room{Name: string(room.Name)}})
		}
	case what == "tells": // the SFU sends webhooks about the sessions that the service has ended
		for _, removal := range l.sfu.Removals() {
			tell(ts, removal.Report)
		}
	case what == "rooms":
		fmt.Fprintln(ts.Stdout(), len(l.sfu.Rooms()), "rooms")
		for _, room := range l.sfu.Rooms() {
			fmt.Fprintln(ts.Stdout(), room.Name, room.EmptyTimeout, room.DepartureTimeout, room.MaxParticipants)
		}
	}
}

// The script command `listen VAR` listens on loopback and sets VAR to the
// address. The listener closes every connection.
func cmdListen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listen VAR")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	})
	lab := labOf(ts)
	lab.closers = append(lab.closers, func() { l.Close(); wg.Wait() })
	ts.Setenv(args[0], l.Addr().String())
}

// The script command `blank FILE SIZE` makes a file of SIZE spaces.
func cmdBlank(ts *testscript.TestScript, neg bool, args []string) {
	var size int
	if neg || len(args) != 2 {
		ts.Fatalf("usage: blank FILE SIZE")
	}
	_, err := fmt.Sscan(args[1], &size)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte(" "), size), 0o600))
}
