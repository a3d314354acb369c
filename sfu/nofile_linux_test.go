package sfu_test

import (
	"os"
	"syscall"
	"testing"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// TestSpareFileForACall checks a call for which this process can open no file. The
// client must then call the function spare. After spare has closed another file,
// the call must succeed.
func TestSpareFileForACall(t *testing.T) {
	server := sfutest.NewServer(key)
	defer server.Close()
	files := allFiles(t)
	spared := 0
	connections := sfu.NewHTTPClient(nil, func() bool {
		// The client's end and the fake server's end of the connection each
		// need a file.
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

// allFiles opens so many files that this process cannot open another one. This
// state ends when the test ends or closes one of these files.
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
			f.Close() // a second Close does no harm
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
