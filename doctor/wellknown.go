package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

const wellKnownPath = "/.well-known/matrix/client"

// documentURL returns the URL of the well-known document, at the place that
// [homeserver.apexPlace] returns.
func (h *homeserver) documentURL() string { return "https://" + h.name.Host() + wellKnownPath }

// clientWellKnown is the content of the well-known document,
// .well-known/matrix/client.
type clientWellKnown struct {
	Homeserver struct {
		BaseURL string `json:"base_url"`
	} `json:"m.homeserver"`
	Foci []focus `json:"org.matrix.msc4143.rtc_foci"`

	misshapen bool // whether rtc_foci exists and is not a list of objects
	// nested has the keys that belong at the top of the document, but are below
	// some other key. The value is the key below which they are.
	nested map[string]string
}

// The keys that calls need at the top of the document.
const (
	fociKey       = "org.matrix.msc4143.rtc_foci"
	homeserverKey = "m.homeserver"
)

// leadsSomewhere reports whether the document names a service for calls.
func (d *clientWellKnown) leadsSomewhere() bool {
	return slices.ContainsFunc(d.Foci, func(f focus) bool { return f.Service != "" })
}

// focus is an entry for one service for calls, in the well-known document or
// in the homeserver's transports.
type focus struct {
	Type    string `json:"type"`
	Service string `json:"livekit_service_url"`
	URL     string `json:"url,omitempty"`
}

// wellKnown fetches the well-known document as a browser does, and checks its
// form.
func (h *homeserver) wellKnown(ctx context.Context) engine.Finding {
	address := h.documentURL()
	r, closed, err := h.look.Follow(ctx, address)
	v := engine.Vars{"server": h.name.String(), "document": address, "host": h.name.Host()}
	switch {
	case isFault(uncertified(askedWebServer, err, v, "")):
		return uncertified(askedWebServer, err, v, "GET "+address+":")
	case err != nil:
		return found("wellknown-broken", v, "GET %s: %s", address, reason(err))
	case isFault(stranger(askedWebServer, r, v, "")):
		return stranger(askedWebServer, r, v, "GET "+address+":")
	case r.Status == http.StatusNotFound:
		return found("wellknown-missing", v, "GET %s: %s", address, r)
	case r.Status != http.StatusOK:
		return found("wellknown-status", v, "GET %s: %s", address, r)
	case len(r.Origins()) == 0:
		return found("wellknown-no-cors", v, "GET %s: no Access-Control-Allow-Origin", address)
	case closed != "":
		v["other"] = clip(closed)
		return found("wellknown-redirect-cors", v, "GET %s: a redirect without Access-Control-Allow-Origin", clip(closed))
	case !r.OneOrigin():
		return found("wellknown-two-cors", v, "GET %s: Access-Control-Allow-Origin %q", address, r.Origins())
	}
	return h.readWellKnown(address, r)
}

// byteOrderMark is a character that some editors write at the start of a text.
// JSON must not have it (RFC 8259, 8.1).
const byteOrderMark = "\ufeff"

func (h *homeserver) readWellKnown(address string, r instruments.Reply) engine.Finding {
	v := engine.Vars{"server": h.name.String(), "document": address}
	var object map[string]json.RawMessage
	if bytes.HasPrefix(r.Body, []byte(byteOrderMark)) {
		return found("wellknown-not-json", v, "GET %s: a byte order mark stands before the text, which JSON does not allow", address)
	}
	if json.Unmarshal(r.Body, &object) != nil || object == nil {
		return found("wellknown-not-json", v, "GET %s: %d bytes that are not a JSON object", address, len(r.Body))
	}
	h.document = &clientWellKnown{}
	_ = json.Unmarshal(r.Body, h.document) // a field of a wrong type stays empty; the checks homeserver.foci and homeserver.base_url report that
	h.document.nested = map[string]string{}
	for _, key := range []string{fociKey, homeserverKey} {
		if _, there := object[key]; !there {
			h.document.nested[key] = keyWithin(object, key, maxNesting)
		}
	}
	list, there := object[fociKey]
	h.document.misshapen = there && json.Unmarshal(list, &[]focus{}) != nil
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return found("wellknown-type", v, "GET %s: Content-Type %q", address, clip(kind))
	}
	return ok("GET %s: JSON, one CORS header", address)
}

// foci checks the services that the well-known document names for calls. If
// doctor does not know yet which service to check, it takes the first of these.
func (h *homeserver) foci(_ context.Context) engine.Finding {
	v := engine.Vars{"server": h.name.String()}
	var livekit []string
	for _, f := range h.document.Foci {
		if f.Type == "livekit" {
			livekit = append(livekit, f.Service)
		}
	}
	switch {
	case len(livekit) == 0 && h.document.misshapen:
		return found("foci-kind", v, "%s is not a list of objects", fociKey)
	case len(livekit) == 0 && h.document.nested[fociKey] != "":
		return h.nestedKey(fociKey)
	case len(livekit) == 0:
		return found("foci-missing", v, "the document has no %s of the type livekit", fociKey)
	}
	for _, service := range livekit {
		if lint := lintService(service, v); lint.Status == engine.Fail {
			return lint
		}
	}
	raw := livekit[0] // clients use only the first one
	if h.o.PublicURL != nil && !instruments.SameAddress(h.o.PublicURL.String(), raw) {
		v["url"], v["other"] = h.o.PublicURL.String(), clip(raw)
		return found("foci-elsewhere", v, "livekit_service_url is %s, --public-url is %s", clip(raw), h.o.PublicURL)
	}
	if h.at == nil {
		h.at, _ = url.Parse(raw)
	}
	if looked := h.serviceURL(); h.o.PublicURL == nil && !instruments.SameAddress(looked, raw) {
		v["url"], v["other"] = looked, clip(raw)
		return found("foci-other-service", v, "livekit_service_url is %s, but the service is checked at %s", clip(raw), looked)
	}
	return judgeForm(livekit, v)
}

// judgeForm returns a warning about addresses that clients can use but that
// look wrong.
func judgeForm(services []string, v engine.Vars) engine.Finding {
	for _, service := range services {
		if lint := lintService(service, v); lint.Status != engine.OK {
			return lint
		}
		if strings.HasSuffix(service, "/") {
			return found("foci-slash", v, "livekit_service_url is %s", clip(service))
		}
	}
	return ok("livekit_service_url is %s", clip(strings.Join(services, ", ")))
}

// placeholders are domains that occur in examples. RFC 2606 reserves most of
// them. The top-level domain tld does not exist, and many guides use
// yourdomain.com.
var placeholders = []string{"example.com", "example.org", "example.net", "example", "tld", "yourdomain.com"}

// lintService returns what is wrong with the form of a livekit_service_url. A
// double slash in the path is a warning. Everything else is a fault, also the
// address of Element's closed service (config.FormerServiceHost).
func lintService(raw string, v engine.Vars) engine.Finding {
	u, err := url.Parse(raw)
	v["url"] = clip(raw)
	seen := fmt.Sprintf("livekit_service_url is %q", clip(raw))
	switch {
	case err != nil || u.Hostname() == "" || strings.ContainsAny(raw, "<>{}$ "):
		return found("foci-empty", v, "%s", seen)
	case u.Scheme == "wss" || u.Scheme == "ws":
		return found("foci-wss", v, "%s", seen)
	case u.Scheme != "https" && !isLocal(u.Hostname()):
		return found("foci-http", v, "%s", seen)
	case strings.EqualFold(u.Hostname(), config.FormerServiceHost):
		return found("former-service-foci", v, "%s", seen)
	case isPlaceholder(u.Hostname(), causes.HostOf(v["server"])):
		return found("foci-example", v, "%s", seen)
	case strings.Contains(u.Path, "//"):
		return found("foci-double-slash", v, "%s", seen)
	}
	return ok("%s", seen)
}

// isLocal reports whether host is this machine. Browsers allow addresses of
// this machine without TLS.
func isLocal(host string) bool { return host == "localhost" || host == "127.0.0.1" }

// isPlaceholder reports whether host was probably copied from an example. That
// is so if host is below a domain in placeholders, and the server name is not.
func isPlaceholder(host, server string) bool {
	for _, p := range placeholders {
		if isBelow(host, p) && !isBelow(server, p) {
			return true
		}
	}
	return false
}

// isBelow reports whether host is domain or a name below it.
func isBelow(host, domain string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// wellKnownCopy compares the well-known document with the document at the host
// of base_url, which old clients and people read. wellKnownCopy warns if the
// two differ.
func (h *homeserver) wellKnownCopy(ctx context.Context) engine.Finding {
	port := h.wellKnownAtPort(ctx)
	if port.Status == engine.Warn {
		return port
	}
	base, err := url.Parse(h.document.Homeserver.BaseURL)
	if err != nil || base.Host == "" || strings.EqualFold(base.Host, h.name.Host()) {
		if port.Status == engine.OK {
			return port
		}
		return na("the server name and base_url are one host")
	}
	address := base.Scheme + "://" + base.Host + wellKnownPath
	r, _, err := h.look.Follow(ctx, address)
	if err != nil || r.Status != http.StatusOK {
		return ok("%s has no document of its own", address)
	}
	var copied clientWellKnown
	if json.Unmarshal(r.Body, &copied) != nil {
		return ok("%s is not a document for clients", address)
	}
	if !reflect.DeepEqual(copied.Foci, h.document.Foci) {
		return found("wellknown-copies-differ", engine.Vars{"server": h.name.String(), "other": clip(base.Host)},
			"%s has the foci %s, %s has %s", base.Host, show(copied.Foci), h.name, show(h.document.Foci))
	}
	return ok("%s says the same", address)
}

// wellKnownAtPort compares the well-known document with the one at the port of
// the server name. Element in a browser requests the document at that port.
func (h *homeserver) wellKnownAtPort(ctx context.Context) engine.Finding {
	if h.name.Port() == "" {
		return na("the server name has no port")
	}
	address := "https://" + h.name.String() + wellKnownPath
	v := engine.Vars{"server": h.name.String(), "other": address}
	r, _, err := h.look.Follow(ctx, address)
	var there clientWellKnown
	switch {
	case err != nil:
		return found("wellknown-port", v, "GET %s: %s", address, reason(err))
	case r.Status != http.StatusOK || !r.OneOrigin() || json.Unmarshal(r.Body, &there) != nil:
		return found("wellknown-port", v, "GET %s: %s, %d CORS headers", address, r, len(r.Origins()))
	case !reflect.DeepEqual(there.Foci, h.document.Foci):
		return found("wellknown-port", v, "%s has the foci %s, %s has %s", address, show(there.Foci), h.documentURL(), show(h.document.Foci))
	}
	return ok("%s says the same", address)
}

// show returns the URLs in list, with commas between them.
func show(list []focus) string {
	var texts []string
	for _, f := range list {
		texts = append(texts, clip(f.Service+f.tail()))
	}
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, ", ")
}

func (f focus) tail() string {
	if f.URL == "" {
		return ""
	}
	return " (url " + f.URL + ")"
}
