package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"matrixrtc-auth/matrix/matrixtest"
)

// The scripts use these tokens in the registration of the application service.
const (
	scriptASToken = "the-as-token-of-the-scripts-0123456789"
	scriptHSToken = "the-hs-token-of-the-scripts-0123456789"
)

// The script command `registration VAR [FLAW]` registers the service as an
// application service at the homeserver VAR. Before `serve`, the command sets
// the service's environment variables. After `serve`, it tells the homeserver
// about the service. FLAW is another-hs-token, another-as-token, membership-off
// or federation-off.
func cmdRegistration(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: registration VAR [FLAW]")
	}
	l := labOf(ts)
	name := ts.Getenv(args[0])
	if l.service == nil {
		ts.Setenv("LIVEKIT_HS_SERVER_NAME", name)
		ts.Setenv("LIVEKIT_AS_TOKEN", scriptASToken)
		ts.Setenv("LIVEKIT_HS_TOKEN", scriptHSToken)
		ts.Setenv("LIVEKIT_CS_API_URL_OVERRIDES", name+"="+l.homeservers[name].URL())
		ts.Setenv("HS_TOKEN", scriptHSToken)
		return
	}
	r := matrixtest.Registered{
		ID: "rtc", SenderLocalpart: "rtc", Server: name,
		ASToken: scriptASToken, HSToken: scriptHSToken, ProxyURL: "http://" + l.service.address,
	}
	switch strings.Join(args[1:], "") {
	case "another-hs-token":
		r.HSToken = "another"
	case "another-as-token":
		r.ASToken = "another"
	case "membership-off":
		r.MembershipOff = true
	case "federation-off":
		r.FederationOff = true
	}
	l.homeservers[name].Register(r)
}

// The script command `account VAR FILE USER [new]` logs USER in at the
// homeserver VAR and writes the access token to FILE. If the service does not
// run yet, the command also sets environment variables, so that the service will
// use this token to ask who is joined. With the argument "new", the homeserver
// first makes the old token in FILE invalid.
func cmdAccount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: account VAR FILE USER [new]")
	}
	l := labOf(ts)
	name := ts.Getenv(args[0])
	h := l.homeservers[name]
	if len(args) == 4 {
		h.Logout(strings.TrimSpace(ts.ReadFile(args[1])))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(h.Login(args[2])+"\n"), 0o600))
	if l.service == nil {
		ts.Setenv("LIVEKIT_HS_SERVER_NAME", name)
		ts.Setenv("LIVEKIT_MEMBERSHIP_TOKEN_FILE", ts.MkAbs(args[1]))
		ts.Setenv("LIVEKIT_CS_API_URL_OVERRIDES", name+"="+h.URL())
	}
}

// The script command `member VAR joins|leaves ROOM USER` changes the user's
// membership in a Matrix room.
func cmdMember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: member VAR joins|leaves ROOM USER")
	}
	h := labOf(ts).homeservers[ts.Getenv(args[0])]
	if args[1] == "joins" {
		h.Join(args[2], args[3])
		return
	}
	h.Leave(args[2], args[3])
}

// The script command `through VAR USER METHOD PATH [FILE]` sends a request to
// the homeserver VAR. The homeserver forwards this request of USER to the
// service. The command prints the answer as the command `http` does.
func cmdThrough(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: through VAR USER METHOD PATH [FILE]")
	}
	l := labOf(ts)
	h := l.homeservers[ts.Getenv(args[0])]
	body := ""
	if len(args) > 4 {
		body = os.Expand(ts.ReadFile(args[4]), ts.Getenv)
	}
	req, err := http.NewRequest(args[2], h.URL()+args[3], strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+h.Login(args[1]))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.ca.Pool()}}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	ts.Check(err)
	defer resp.Body.Close()
	answerBody, err := io.ReadAll(resp.Body)
	l.show(ts, answer{text: format(resp, answerBody), body: string(answerBody), err: err})
}

// The script command `owned VAR USER ROOM ID DELAY` makes USER schedule a
// delayed event in a room of the homeserver VAR.
func cmdOwned(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: owned VAR USER ROOM ID DELAY")
	}
	delay, err := time.ParseDuration(args[4])
	ts.Check(err)
	labOf(ts).homeservers[ts.Getenv(args[0])].ScheduleFor(args[1], args[2], args[3], delay)
}
