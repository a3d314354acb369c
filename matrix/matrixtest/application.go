package matrixtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Application is an application service for tests. It records the homeserver's
// requests, and answers them with {} unless the test sets another answer.
type Application struct {
	*httptest.Server

	mu     sync.Mutex
	asked  []Asked
	answer http.HandlerFunc // answers proxied requests; nil for the answer {}
}

// Asked is a request that an application service got.
type Asked struct {
	Path, Body string
	Header     http.Header
}

// NewApplication starts an Application on a loopback address.
func NewApplication() *Application {
	a := &Application{}
	a.Server = httptest.NewServer(a)
	return a
}

// Answer sets the function that answers every proxied request from now on. If
// this function is nil, the Application answers {} again.
func (a *Application) Answer(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer, a.asked = answer, nil
}

// Asked returns the requests whose path ends in path. It leaves out requests
// before the last call of Answer.
func (a *Application) Asked(path string) []Asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(a.asked), func(r Asked) bool { return !strings.HasSuffix(r.Path, path) })
}

func (a *Application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxProxied))
	if err != nil {
		return // the homeserver has closed the connection
	}
	a.mu.Lock()
	a.asked = append(a.asked, Asked{r.URL.Path, string(body), r.Header})
	answer := a.answer
	a.mu.Unlock()
	proxied := under(r.URL.Path, proxiedClient) || under(r.URL.Path, proxiedFederation)
	switch {
	case proxied && answer != nil:
		answer(w, r)
	case r.Method == http.MethodGet && !proxied:
		writeJSON(w, http.StatusNotFound, matrixError("M_NOT_FOUND", "Nobody of ours"))
	default:
		writeJSON(w, http.StatusOK, struct{}{})
	}
}
