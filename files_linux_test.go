package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestFewFiles runs the program with a limit of 64 open files. If the service
// cannot open a connection to the homeserver because of this limit, it must
// tell the client to retry later. Then 200 silent clients stay connected, and
// the service must still answer.
func TestFewFiles(t *testing.T) {
	binary := buildBinary(t)
	few := filepath.Join(t.TempDir(), "few-files")
	if err := os.WriteFile(few, []byte("#!/bin/sh\nulimit -n 64 && exec "+binary+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The homeserver does not answer before 24 requests have arrived. So each
	// request needs its own connection to the homeserver.
	var asked atomic.Int32
	many := make(chan struct{})
	homeserver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 24 {
			close(many)
		}
		<-many
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"errcode":"M_UNKNOWN_TOKEN"}`)
	}))
	defer homeserver.Close()
	s := startBinary(t, few, "example.org="+homeserver.URL, "LIVEKIT_TRUSTED_PROXIES=none", "LIVEKIT_STORE=memory")
	var clients sync.WaitGroup
	statuses := make(chan string, 100)
	for i := range 30 {
		clients.Go(func() {
			resp, err := askToken(t.Context(), fmt.Sprintf("127.0.0.%d", 10+i), s.address)
			if err != nil {
				statuses <- err.Error()
				return
			}
			statuses <- fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Retry-After"))
		})
	}
	clients.Wait()
	close(statuses)
	seen := map[string]int{}
	for status := range statuses {
		seen[status]++
	}
	t.Logf("answers: %v", seen)
	for status := range seen {
		if status != "401 " && status != "503 5" {
			t.Errorf("got the answer %q, want 401, or 503 with Retry-After: 5", status)
		}
	}
	for i := range 200 {
		conn, err := from(t.Context(), fmt.Sprintf("127.0.1.%d", i%100), s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	resp, err := askToken(t.Context(), "127.0.2.1", s.address)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("afterwards, among 200 silent clients: got %v, %v, want 401", resp, err)
	}
	if strings.Contains(s.text(), "level=ERROR") {
		t.Errorf("got this log, want no error in it:\n%s", s.text())
	}
}

// askToken asks for a token as a client with the IP address ip. The request has
// an OpenID token that the homeserver does not know.
func askToken(ctx context.Context, ip, address string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	conn, err := from(ctx, ip, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	const body = `{"room":"!r:example.org","device_id":"D","openid_token":{"access_token":"x","matrix_server_name":"example.org"}}`
	if _, err := fmt.Fprintf(conn, "POST /sfu/get HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(conn), nil)
}
