package doctor

import (
	"net/http"
	"strconv"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// asked is a program that doctor means to ask. A different program may answer instead.
type asked struct {
	who   instruments.Party
	name  string // the program's name in a sentence
	start string // the command that starts the program
	down  string // the id of the cause if the answer says that a proxy does not reach the program
	leads string // the setting with the program's address, unless the check names a different one
}

// The programs that doctor asks.
var (
	askedService    = asked{instruments.Service, "this service", "docker compose up -d matrixrtc-auth", "service-proxy", "livekit_service_url in .well-known/matrix/client"}
	askedHomeserver = asked{instruments.Homeserver, "the homeserver", "docker compose up -d synapse", "homeserver-down", "m.homeserver.base_url in .well-known/matrix/client"}
	askedAPI        = asked{instruments.LiveKit, "LiveKit", "docker compose up -d livekit", "sfu-behind-proxy", "LIVEKIT_INTERNAL_URL (or LIVEKIT_URL)"}
	askedSFU        = asked{instruments.LiveKit, "LiveKit", "docker compose up -d livekit", "sfu-proxy", "LIVEKIT_URL"}
	askedWebServer  = asked{instruments.Website, "the web server", "", "wellknown-status", ""}
)

// stranger returns a finding if a program other than the asked one gave the
// answer r. It returns the zero Finding if the asked program may have given r.
// seen describes the request, with a colon at its end.
func stranger(to asked, r instruments.Reply, v engine.Vars, seen string) engine.Finding {
	from := r.From()
	v = v.Or(engine.Vars{"who": to.name, "start": to.start, "leads": to.leads, "program": from.Program})
	because := func(cause string) engine.Finding { return found(cause, v, "%s %s", seen, r) }
	switch from.Party {
	case instruments.Challenge:
		return because("proxy-challenge")
	case instruments.Login:
		return because("proxy-login")
	case instruments.Website:
		if to.who != instruments.Website && r.Status == http.StatusOK {
			return because("website-instead")
		}
	case instruments.Service:
		if to.who != instruments.Service && to.who != instruments.Website {
			return because("service-instead")
		}
	case instruments.Homeserver:
		if to.who != instruments.Homeserver && to.who != instruments.Website {
			return because("homeserver-instead")
		}
	}
	if to.who != instruments.Website && r.Status/100 == 3 { // doctor follows a redirect only if it asks a web server for a document
		v = v.Or(engine.Vars{"other": bareURL(r.Header.Get("Location"))})
		return found("proxy-redirects", v, "%s %s, a redirect to %s", seen, r, v["other"])
	}
	switch r.Passing() {
	case instruments.NotThere:
		return because(to.down)
	case instruments.Uncertified:
		return because("proxy-certificate")
	case instruments.Refused:
		return because("proxy-refuses")
	case instruments.TooLarge:
		return because("proxy-size")
	case instruments.Limited:
		return because("proxy-limits")
	}
	return engine.Finding{}
}

// uncertified returns the finding that a server demands a certificate of the
// client; the zero Finding if err is another error.
func uncertified(to asked, err error, v engine.Vars, seen string) engine.Finding {
	if !instruments.WantsCertificate(err) {
		return engine.Finding{}
	}
	return found("proxy-certificate", v.Or(engine.Vars{"who": to.name, "program": "the proxy"}), "%s %s", seen, reason(err))
}

// steady returns a warning if f is good only because doctor repeated the request:
// the first answer was bad (r.Before is its status), and a later one was good.
// Otherwise it returns f.
func steady(to asked, r instruments.Reply, v engine.Vars, f engine.Finding) engine.Finding {
	if f.Status != engine.OK || r.Before == 0 {
		return f
	}
	v = v.Or(engine.Vars{"who": to.name, "status": strconv.Itoa(r.Before)})
	return found("answers-sometimes", v, "%s; the first answer was %d", f.Seen, r.Before)
}

// isFault reports whether a finding has a cause.
func isFault(f engine.Finding) bool { return f.Cause != nil }
