package instruments

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Party is a kind of program that may answer a request.
type Party int

// The kinds of programs. Unknown means that any program may have given the
// answer.
const (
	Unknown    Party = iota
	Matrix           // a Matrix server of unknown kind
	Service          // this service, recognized by its CORS headers
	Homeserver       // a homeserver, recognized by its name or by the CORS headers of the specification
	LiveKit          // LiveKit, recognized by its own words or by a Twirp error
	Proxy            // the reverse proxy itself, or a filter in front of it
	Challenge        // a filter that lets only browsers of persons through
	Login            // a program that wants a password or single sign-on
	Website          // a program whose answers are pages for people
)

// Answerer is the program that gave an answer.
type Answerer struct {
	Party   Party
	Program string // the program's name if the answer has it, else "the proxy"
}

// From decides which program gave the answer, by the answer's status, headers
// and body. No other function decides this.
func (r Reply) From() Answerer {
	switch {
	case r.isChallenge():
		return Answerer{Challenge, "Cloudflare"}
	case r.ErrCode() != "" && r.isService():
		return Answerer{Service, "this service"}
	case r.ErrCode() != "" && r.isHomeserver():
		return Answerer{Homeserver, r.server("a homeserver")}
	case r.ErrCode() != "":
		return Answerer{Matrix, r.server("a Matrix server")}
	case r.AsksLogin():
		return Answerer{Login, r.server("the proxy")}
	case r.isLiveKit():
		return Answerer{LiveKit, "LiveKit"}
	}
	if program := r.proxy(); program != "" {
		return Answerer{Proxy, program}
	}
	if r.isPage() && r.Status/100 != 3 {
		return Answerer{Website, r.server("a website")}
	}
	return Answerer{Unknown, r.server("something else")}
}

// server returns the program's name in the header Server. If there is no such
// header, it returns its argument.
func (r Reply) server(otherwise string) string {
	if server := r.Header.Get("Server"); server != "" {
		return Clip(server)
	}
	return otherwise
}

// isChallenge reports whether Cloudflare demands a browser with a person.
// Cloudflare marks such an answer with the header Cf-Mitigated (Cloudflare's
// documentation, "Detect a Challenge Page response").
func (r Reply) isChallenge() bool { return r.Header.Get("Cf-Mitigated") == "challenge" }

// isService reports whether an answer has the CORS headers of this service. No
// homeserver allows X-CSRF-Token.
func (r Reply) isService() bool {
	return strings.Contains(r.Header.Get("Access-Control-Allow-Headers"), "X-CSRF-Token")
}

// homeservers are the prefixes of homeservers' names in the header Server.
var homeservers = []string{"Synapse", "Dendrite", "conduit", "tuwunel", "continuwuity", "palpo"}

// isHomeserver reports whether the answer names a homeserver, or has the CORS
// headers that the Client-Server API recommends. An answer of this service has
// other CORS headers (see isService).
func (r Reply) isHomeserver() bool {
	server := r.Header.Get("Server")
	return slices.ContainsFunc(homeservers, func(name string) bool { return strings.HasPrefix(server, name) }) ||
		strings.Contains(r.Header.Get("Access-Control-Allow-Headers"), "X-Requested-With")
}

// AsksLogin reports whether the answer demands a login. Such an answer is a
// redirect to a login page, or a 401 that names a method of login. (LiveKit's
// 401 names none.)
func (r Reply) AsksLogin() bool {
	switch r.Status {
	case http.StatusUnauthorized:
		return r.Header.Get("WWW-Authenticate") != "" && r.ErrCode() == ""
	case http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect:
		return leadsToLogin(r.Header.Get("Location"))
	}
	return false
}

// logins are parts of the addresses of login pages. The pages are those of
// Authelia, Authentik, Keycloak, oauth2-proxy, Cloudflare Access and others.
var logins = []string{"login", "signin", "sign_in", "sso", "oauth2", "openid-connect", "outpost.goauthentik.io", "authelia", "cloudflareaccess.com"}

func leadsToLogin(location string) bool {
	u, err := url.Parse(location)
	if err != nil {
		return false
	}
	place := strings.ToLower(u.Host + u.Path)
	label, _, _ := strings.Cut(u.Hostname(), ".")
	return label == "auth" || slices.ContainsFunc(logins, func(part string) bool { return strings.Contains(place, part) })
}

// livekitWords are the beginnings of texts that only LiveKit sends as an
// answer.
var livekitWords = []string{"invalid API key", "invalid token", "invalid authorization token", "no permissions", "permissions denied", "requested room does not exist", "token is not valid"}

// isLiveKit reports whether LiveKit gave the answer. Then the answer is one of
// LiveKit's texts, or a Twirp error, which has a code and a message.
func (r Reply) isLiveKit() bool {
	body := strings.TrimSpace(string(r.Body))
	if r.Status == http.StatusOK {
		return body == "OK" || body == "success"
	}
	var twirp struct{ Code, Msg string }
	if json.Unmarshal(r.Body, &twirp) == nil && twirp.Code != "" && r.isJSON() {
		return true
	}
	return slices.ContainsFunc(livekitWords, func(words string) bool { return strings.HasPrefix(body, words) })
}

// SaysOK reports whether the answer is "OK", as LiveKit answers at its root
// path.
func (r Reply) SaysOK() bool {
	return r.Status == http.StatusOK && strings.TrimSpace(string(r.Body)) == "OK"
}

// marks are texts in the error pages of proxies and filters, each with the
// program's name.
var marks = []struct{ text, program string }{
	{"<center>nginx", "nginx"},
	{"<center>openresty", "nginx (OpenResty)"},
	{"<html><body><h1>", "HAProxy"},
	{"<address>Apache", "Apache"},
	{"Synology", "DSM"},
	{"Sorry, the page you are looking for is not found", "DSM"},
	{"error code: ", "Cloudflare"},
	{"Sorry, you have been blocked", "Cloudflare"},
}

// traefikTexts are the whole texts of Traefik's errors. The text of Traefik's
// 404 is missing here, because other Go programs use the same text.
var traefikTexts = []string{"Bad Gateway", "Gateway Timeout", "Service Unavailable", "no available server", "Forbidden", "Too Many Requests"}

// proxy returns the name of the proxy or filter that made the answer itself; ""
// if none did. If the answer says that the server behind a proxy does not
// answer, that proxy made the answer.
func (r Reply) proxy() string {
	if r.Status < 400 {
		return ""
	}
	body := strings.TrimSpace(string(r.Body[:min(len(r.Body), 4096)]))
	server := r.Header.Get("Server")
	if r.Status >= 520 && r.Status <= 530 && strings.EqualFold(server, "cloudflare") {
		return "Cloudflare"
	}
	for _, m := range marks {
		if strings.Contains(body, m.text) {
			return m.program
		}
	}
	switch {
	case server == "Caddy" && body == "":
		return "Caddy"
	case server == "" && slices.Contains(traefikTexts, body):
		return "Traefik"
	case r.isGatewayError(), r.isPage() && r.Status != http.StatusNotFound && r.Status != http.StatusInternalServerError:
		return r.server("the proxy")
	}
	return ""
}

// isGatewayError reports whether the answer says that the server behind a
// proxy does not answer.
func (r Reply) isGatewayError() bool {
	switch r.Status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return r.ErrCode() == "" && !r.isLiveKit()
	}
	return r.Status >= 520 && r.Status <= 530
}

// Passing is what a proxy or filter did with a request.
type Passing int

// What a proxy or filter can do with a request.
const (
	Answered    Passing = iota // no proxy or filter answered
	NotThere                   // the proxy got no answer from the server behind it
	Refused                    // the proxy refused the request
	TooLarge                   // the proxy refused the request because its body is too large
	Limited                    // the proxy refused the request because there are too many requests
	NoRoute                    // the proxy does not forward requests for that name or path
	Uncertified                // the proxy demands a client certificate
)

// Passing returns what a proxy or filter did with the request, as this answer
// shows.
func (r Reply) Passing() Passing {
	who := r.From()
	switch {
	case who.Party != Proxy:
		return Answered
	case r.Status == http.StatusTooManyRequests, r.Status == http.StatusServiceUnavailable && who.Program == "nginx":
		return Limited // nginx answers 503 for limit_req and limit_conn, unless configured otherwise
	case r.isGatewayError():
		return NotThere
	case r.Status == http.StatusBadRequest && bytes.Contains(r.Body, []byte("SSL certificate")):
		return Uncertified // nginx's pages for its internal codes 495 and 496 have this text
	case r.Status == http.StatusRequestEntityTooLarge:
		return TooLarge
	case r.Status == http.StatusNotFound, r.Status == http.StatusMisdirectedRequest:
		return NoRoute
	}
	return Refused
}

// isPage reports whether the body is an HTML page for people.
func (r Reply) isPage() bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	start := bytes.ToLower(bytes.TrimSpace(r.Body[:min(len(r.Body), 512)]))
	return kind == "text/html" || bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}

func (r Reply) isJSON() bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/json"
}
