//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// key is the API key that LiveKit and the service share.
var key = sfu.Key{ID: "hostile", Secret: secret.New("a-secret-of-the-hostile-run-0123456789")}

// namedServer is the homeserver that the operator has named in the
// configuration.
const namedServer = "example.org"

// world has everything that the service needs, except the strangers' servers.
type world struct {
	homeserver *http.Server
	url        string // the URL of the named homeserver
	sfu        *sfutest.Server
}

// newWorld starts LiveKit and the homeserver that the service's configuration names
// (namedServer). A token like "u17" proves to that homeserver that its bearer is user
// u17.
func newWorld() (*world, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &world{sfu: sfutest.NewServer(key), url: "http://" + l.Addr().String()}
	w.homeserver = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"sub":"@%s:%s"}`, r.URL.Query().Get("access_token"), namedServer)
	})}
	go func() {
		if err := w.homeserver.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fmt.Println("the named homeserver ended:", err)
		}
	}()
	return w, nil
}

func (w *world) close() {
	w.homeserver.Close()
	w.sfu.Close()
}
