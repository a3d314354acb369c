package breakages

import (
	"cmp"
	"context"
	_ "embed"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/testlink"
)

// runTime is the time limit for one connection test on the page. The page itself gives
// up each step after some seconds.
const runTime = 90 * time.Second

//go:embed testdata/withouttcp.js
var withoutTCP string

// strangers are the STUN servers that LiveKit gives to clients if it has no TURN
// server. In the test, their names lead to an address at which no program listens.
var strangers = []string{"global.stun.twilio.com", "stun.l.google.com", "stun1.l.google.com"}

const strangersAddress = "203.0.113.99"

// connection describes one run of the connection test: the deployment, the link, and
// what the page must show.
type connection struct {
	what    string
	make    change
	link    func(t *testing.T, w *world, d deployment) string // makes the link; if nil, test-link makes it
	verdict string
	marks   string // the marks of the steps, in their order; "" means any marks
	more
}

// This type holds additional settings and expectations of a test.
type more struct {
	settings
	says     string // the text of the verdict; "" means any text
	script   string // a script that the browser runs before the scripts of the page
	looked   bool   // true if the test also checks accessibility, and uses the keyboard
	watched  bool   // true if test-link --watch must print the verdict
	pictured string // the file name of a picture at the end; "" means no picture
}

// marks are the signs with which the page shows the result of a step.
var marks = map[string]string{"ok": "✓", "warn": "!", "fail": "✗", "none": "–", "": "·"}

var steps = []string{"socket", "join", "media", "resume", "tcp", "relay", "clock"}

func connections() []connection {
	well := func(*deployment) {}
	toOther := nginxAt("sfu.", proxyTo(7880), proxyTo(7890))
	return []connection{
		{"all is well", well, nil, "udp", "✓✓✓✓✓✓✓", more{says: "Calls will work here, over UDP.", looked: true, watched: true, pictured: "connection-test"}},
		{"below a path of another host", belowPaths, nil, "udp", "✓✓✓✓✓✓✓", more{}},
		{"no TURN", func(d *deployment) { d.livekit = strings.Replace(d.livekit, "  enabled: true", "  enabled: false", 1) }, nil, "udp", "✓✓✓✓✓–✓", more{}},
		{"a browser without TCP for media", well, nil, "udp", "✓✓✓✓–✓✓", more{script: withoutTCP}},
		{"7881/tcp is dropped", closing("-p tcp --dport 7881"), nil, "udp", "✓✓✓✓!✓✓", more{}},
		{"UDP is dropped", closing("-p udp --dport 20000:20200", "-p udp --dport 3478"), nil, "only-tcp", "✓✓✗✓✓!✓", more{says: "Only over TCP: expect stutter.", pictured: "connection-test-tcp"}},
		{"all media is dropped", closing("-p udp --dport 20000:20200", "-p udp --dport 3478", "-p tcp --dport 7881"), nil, "no-media", "✓✓✗–––✓", more{
			says:     "Bild und Ton kommen nicht durch: Anrufe werden hier nicht funktionieren.",
			settings: settings{language: "de-DE,de", dark: true}, looked: true, pictured: "connection-test-de",
		}},
		{"no WebSocket headers", together(nginxAt("sfu.", "proxy_set_header Upgrade $http_upgrade;", ""), nginxAt("sfu.", "proxy_set_header Connection $connection_upgrade;", "")), nil, "websocket-headers", "✗–––––✓", more{}},
		{"nothing behind the proxy", nginxAt("sfu.", proxyTo(7880), proxyTo(7990)), nil, "sfu-no-route", "✗–––––✓", more{}},
		{"another LiveKit with other keys", together(toOther, func(d *deployment) { d.second = "another: " + strings.Repeat("o", 40) }), nil, "sfu-other-keys", "✗–––––✓", more{}},
		{"another LiveKit with the same keys", together(toOther, func(d *deployment) { d.second = d.keys }), nil, "sfu-other", "✗–––––✓", more{}},
		{"the link has expired", well, sealed(func(k *testlink.Key) { k.Expires = time.Now().Add(-time.Second) }, ""), "link-expired", "", more{}},
		{"the key is forged", well, sealed(func(*testlink.Key) {}, "another secret, of forty characters or so"), "link-forged", "", more{}},
		{"the link is cut in the middle of a character", well, func(*testing.T, *world, deployment) string { return "https://jwt." + domain + "/test#%E0%A4" }, "link-forged", "", more{}},
		{"a browser without WebRTC", well, nil, "page-fault", "", more{script: "delete window.RTCPeerConnection; delete window.webkitRTCPeerConnection;"}},
		{"a browser without sound", well, nil, "page-fault", "", more{script: "delete window.AudioContext;"}},
		{"LiveKit has forgotten the room", well, sealed(func(*testlink.Key) {}, ""), "room-gone", "", more{}},
		{"the proxy passes no POST on", inLocation("jwt.", "limit_except GET { deny all; }"), sealed(func(*testlink.Key) {}, ""), "service-away", "", more{}},
	}
}

// belowPaths moves the service and LiveKit to paths of the homeserver's host.
func belowPaths(d *deployment) {
	prefix("/livekit/jwt", "location /livekit/jwt/ { proxy_pass http://127.0.0.1:8080/; proxy_set_header X-Forwarded-For $remote_addr; }\n"+
		"location /livekit/sfu/ { proxy_pass http://127.0.0.1:7880/; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; }")(d)
	d.service["LIVEKIT_URL"] = "wss://matrix." + domain + "/livekit/sfu"
}

// sealed returns a function that makes a link to the connection test, without
// the command test-link. The room of this link does not exist on LiveKit. The
// parameter with is the secret that seals the link. If it is empty, the
// deployment's secret seals the link.
func sealed(change func(*testlink.Key), with string) func(*testing.T, *world, deployment) string {
	return func(t *testing.T, _ *world, d deployment) string {
		key := testlink.New(time.Now().Add(time.Minute))
		change(&key)
		text, err := key.Seal(sfu.Key{ID: d.service["LIVEKIT_KEY"], Secret: secret.New(cmp.Or(with, d.service["LIVEKIT_SECRET"]))})
		if err != nil {
			t.Fatal(err)
		}
		return "https://jwt." + domain + "/test#" + text
	}
}

// TestConnection checks that the page of the connection test shows on a phone what is
// wrong with a deployment, or that nothing is wrong.
func TestConnection(t *testing.T) {
	w, healthy := begin(t)
	healthy.homeserver = "" // no part of this test needs a homeserver
	p := newPhone(t, w)
	w.mustBecome(t, healthy)
	t.Run("without a link", p.withoutLink)
	if err := countLeaving(); err != nil {
		t.Fatal(err)
	}
	for _, test := range connections() {
		t.Run(test.what, func(t *testing.T) {
			d := healthy.clone()
			test.make(&d)
			w.mustBecome(t, d)
			p.run(t, d, test)
			if packets, err := leaving(); err != nil || packets > 0 {
				t.Errorf("packets to somebody elsewhere: got %d (%v), want 0", packets, err)
			}
		})
	}
}

// mustBecome makes the world run the deployment, and fails the test if the deployment
// does not start.
func (w *world) mustBecome(t *testing.T, d deployment) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), starting)
	defer cancel()
	if err := w.become(ctx, d); err != nil {
		t.Fatalf("the deployment: got %v, want it running\n%s", err, w.logs())
	}
}

// run opens a link, runs the connection test, and checks what the page shows.
func (p *phone) run(t *testing.T, d deployment, test connection) {
	var link string
	var told <-chan event
	switch {
	case test.link != nil:
		link = test.link(t, p.w, d)
	case test.watched:
		link, told = p.w.watchedLink(t, d)
	default:
		link = p.w.testLink(t, d)
	}
	begun := time.Now()
	p.open(t, link, test.settings, test.script)
	if test.looked {
		p.startByKeyboard(t, test.settings)
	} else {
		p.tap(t)
	}
	o := p.outcome(t)
	t.Logf("after %s: %s\n%s", time.Since(begun).Round(100*time.Millisecond), o.Verdict, o.Report)
	if got := o.signs(); o.Verdict != test.verdict || test.marks != "" && got != test.marks {
		t.Errorf("the verdict is %s with %s, want %s with %s", o.Verdict, got, test.verdict, test.marks)
	}
	_, sealed, _ := strings.Cut(link, "#")
	for _, secret := range []string{sealed, "eyJ", public, d.service["LIVEKIT_SECRET"]} {
		if strings.Contains(o.Report, secret) {
			t.Errorf("the report: got\n%s\nwant no %q in it", o.Report, secret)
		}
	}
	for _, server := range o.Servers {
		if !strings.HasPrefix(server, "turn:"+public) {
			t.Errorf("the page asks %s, want one of the deployment's", server)
		}
	}
	if test.says != "" && o.Says != test.says {
		t.Errorf("the page says %q, want %q", o.Says, test.says)
	}
	if test.watched {
		hear(t, told, o)
	}
	if test.looked {
		p.readByKeyboard(t, o, test.settings)
	}
	p.picture(t, test.pictured)
}

// signs returns the signs that the page shows for the steps, in the order of the steps.
func (o outcome) signs() (signs string) {
	for _, step := range steps {
		signs += marks[o.Marks[step]]
	}
	return signs
}
