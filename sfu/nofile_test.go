package sfu_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"

	"matrixrtc-auth/sfu"
)

// TestNoFileIsKept checks that the error of a call still wraps EMFILE (this
// process can open no file). The answer to the user's client depends on EMFILE.
func TestNoFileIsKept(t *testing.T) {
	none := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EMFILE}
	}}}
	err := sfu.NewClient(&url.URL{Scheme: "http", Host: "sfu.test"}, sfu.Always(key), none).CreateRoom(t.Context(), "room")
	if !errors.Is(err, syscall.EMFILE) {
		t.Errorf("got %v, want an error that holds %v", err, syscall.EMFILE)
	}
}
