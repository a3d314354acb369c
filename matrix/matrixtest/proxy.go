package matrixtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// synapseAnswerTime is how long Synapse waits for the header of an application
// service's answer.
const synapseAnswerTime = 30 * time.Second

// maxProxied is how many bytes a forwarded request may have.
const maxProxied = 50 << 20

// fromClient forwards a client's request to the application service (MSC4512).
func (a *AppServices) fromClient(w http.ResponseWriter, r *http.Request, service *Registered) {
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusOK)
		return
	}
	user, _, ok := a.requester(w, r)
	if !ok {
		return
	}
	a.passOn(w, r, service, "X-Matrix-User-Identifier", user)
}

// fromServer forwards another homeserver's request to the application service.
// A real homeserver checks the signature of such a request. The fake checks
// none, and takes the name of the other homeserver from the header
// X-Fake-Origin.
func (a *AppServices) fromServer(w http.ResponseWriter, r *http.Request, service *Registered) {
	a.passOn(w, r, service, "X-Matrix-Origin", r.Header.Get("X-Fake-Origin"))
}

func (a *AppServices) passOn(w http.ResponseWriter, r *http.Request, service *Registered, header, value string) {
	if service.ProxyURL == "" || service.FederationOff {
		writeJSON(w, http.StatusNotFound, matrixError("M_UNRECOGNIZED", "Unrecognized request"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(a.AnswerTime, synapseAnswerTime))
	defer cancel()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxProxied))
	must(err)
	req, err := http.NewRequestWithContext(ctx, r.Method, service.ProxyURL+r.URL.RequestURI(), bytes.NewReader(body))
	must(err)
	req.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	req.Header.Set("Authorization", "Bearer "+service.HSToken)
	req.Header.Set(header, value)
	resp, err := a.transport().RoundTrip(req)
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, matrixError("M_UNKNOWN", "Internal server error"))
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

func (a *AppServices) transport() http.RoundTripper {
	if a.Route != nil {
		return a.Route
	}
	return http.DefaultTransport
}

// fedProxyTries is how often Synapse sends a request to a remote server that
// keeps failing.
const fedProxyTries = 4

// fedProxy forwards a request of the application service to another homeserver.
func (a *AppServices) fedProxy(w http.ResponseWriter, r *http.Request, service *Registered) {
	if service.FederationOff {
		writeJSON(w, http.StatusNotFound, matrixError("M_UNRECOGNIZED", "Unrecognized request"))
		return
	}
	if _, isService, ok := a.requester(w, r); !ok {
		return
	} else if !isService {
		writeJSON(w, http.StatusForbidden, matrixError("M_FORBIDDEN", "Only application services may ask"))
		return
	}
	var envelope struct {
		Destination, Method, Path string
		Body                      json.RawMessage
	}
	if json.NewDecoder(r.Body).Decode(&envelope) != nil || envelope.Destination == "" || envelope.Method == "" || envelope.Path == "" {
		writeJSON(w, http.StatusBadRequest, matrixError("M_MISSING_PARAM", "Missing params"))
		return
	}
	base, known := "", false
	if a.Federation != nil {
		base, known = a.Federation(envelope.Destination)
	}
	switch {
	case envelope.Destination == service.Server:
		writeJSON(w, http.StatusForbidden, matrixError("M_FORBIDDEN", "Cannot federate to ourselves"))
	case !known:
		writeJSON(w, http.StatusBadGateway, matrixError("M_UNKNOWN", "Failed to reach the destination"))
	default:
		a.callRemote(w, r.Context(), service, base, envelope.Method, envelope.Path, envelope.Body)
	}
}

func (a *AppServices) callRemote(w http.ResponseWriter, ctx context.Context, service *Registered, base, method, path string, body []byte) {
	var status int
	var answer []byte
	for range fedProxyTries {
		req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
		must(err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Fake-Origin", service.Server)
		resp, err := a.transport().RoundTrip(req)
		if err != nil {
			status = http.StatusBadGateway
			continue
		}
		answer, _ = io.ReadAll(io.LimitReader(resp.Body, maxProxied))
		resp.Body.Close()
		if status = resp.StatusCode; status != http.StatusTooManyRequests && status < 500 {
			break
		}
	}
	if !json.Valid(answer) {
		writeJSON(w, http.StatusBadGateway, matrixError("M_UNKNOWN", "The destination did not answer with JSON"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": status, "content": json.RawMessage(answer)})
}
