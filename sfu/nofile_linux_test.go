package sfu_test

import (
	"os"
	"syscall"
	"testing"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// Where no file is left for a connection to the SFU, what can be spared makes
// room for one.
func TestSpareFileForACall(t *testing.T) {
	server := sfutest.NewServer(key)
	defer server.Close()
	files := allFiles(t)
	spared := 0
	connections := sfu.NewHTTPClient(nil, func() bool {
		// Two: the fake's end of the connection takes one as well.
		for range min(2, len(files)-spared) {
			files[spared].Close()
			spared++
		}
		return true
	})
	defer connections.CloseIdleConnections()
	if err := sfu.NewClient(server.APIURL(), sfu.Always(key), connections).Ping(t.Context()); err != nil || spared == 0 {
		t.Errorf("Ping: %v, with %d files closed for it, want an answer for some", err, spared)
	}
}

// allFiles has this process open no file more until the end of the test, or until
// one of those that it returns is closed.
func allFiles(t *testing.T) (files []*os.File) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = min(256, limit.Cur)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, f := range files {
			f.Close() // once more does no harm
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Errorf("syscall.Setrlimit: got %v, want no error", err)
		}
	})
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return files
		}
		files = append(files, f)
	}
}
