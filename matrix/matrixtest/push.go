package matrixtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
)

// ping makes the homeserver call its application service, to check that the
// application service answers.
func (a *AppServices) ping(w http.ResponseWriter, r *http.Request, service *Registered) {
	if _, isService, ok := a.requester(w, r); !ok {
		return
	} else if !isService {
		writeJSON(w, http.StatusForbidden, matrixError("M_FORBIDDEN", "Only the application service may ask"))
		return
	}
	if service.URL == "" {
		writeJSON(w, http.StatusBadRequest, matrixError("M_URL_NOT_SET", "The application service has no URL"))
		return
	}
	status, err := a.call(r.Context(), service, http.MethodPost, "/_matrix/app/v1/ping", []byte("{}"))
	if err != nil || status != http.StatusOK {
		writeJSON(w, http.StatusBadGateway, matrixError("M_BAD_STATUS", "The application service did not answer"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]int{"duration_ms": 1})
}

func (a *AppServices) call(ctx context.Context, service *Registered, method, path string, body []byte) (int, error) {
	target, err := url.JoinPath(service.URL, path)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+service.HSToken)
	resp, err := a.transport().RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, nil
}
