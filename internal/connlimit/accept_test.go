package connlimit

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestAcceptErrorsPass checks that the server accepts connections again after
// temporary errors. After each error it must pause, and it must close idle
// connections.
func TestAcceptErrorsPass(t *testing.T) {
	inBubble(t, 8, nil, func(t *testing.T, l *lab) {
		idle := l.connect("192.0.2.1")
		idle.ask(request)
		start := time.Now()
		for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPERM} {
			l.door.failures <- &net.OpError{Op: "accept", Net: "tcp", Err: errno}
		}
		for range 10 {
			l.door.failures <- &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
		}
		l.connect("192.0.2.9").Close() // ends the call of Accept that already waits
		status, _ := l.connect("192.0.2.2").ask(request)
		if took := time.Since(start); status != http.StatusOK || took < 5*time.Second || took > 15*time.Second {
			t.Errorf("%d after %v and 16 errors, want 200 after pauses of up to a second", status, took)
		}
		if !idle.isClosed() {
			t.Error("an idle connection: got it open, want it closed")
		}
		if lines := strings.Count(l.log.String(), "no connection can be accepted"); lines != 16 {
			t.Errorf("%d lines in the log, want 16:\n%s", lines, &l.log)
		}
	})
}

// TestLateOnesFreeDescriptors checks what the server does if it has no free
// descriptor. It must close connections whose requests take too long to arrive,
// although it has fewer connections than its limit.
func TestLateOnesFreeDescriptors(t *testing.T) {
	inBubble(t, 8, nil, func(t *testing.T, l *lab) {
		slow := l.connect("192.0.2.1")
		slow.say("POST / HTTP/1.1\r\nHo")
		synctest.Wait()
		for range 15 { // 15 errors, because the pauses after them take longer than minArrival
			l.door.failures <- &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
		}
		l.connect("192.0.2.9").Close()
		l.connect("192.0.2.9").Close()
		if !slow.isClosed() {
			t.Error("a request that does not arrive: got its connection open, want it closed")
		}
	})
}

// TestAcceptErrorsThatStay checks that the server ends if its listener can never
// accept a connection again.
func TestAcceptErrorsThatStay(t *testing.T) {
	for _, err := range []error{syscall.EBADF, syscall.EINVAL, errors.New("unknown")} {
		t.Run(err.Error(), func(t *testing.T) {
			d := newDoor()
			d.failures <- err
			l := New(d, Options{Limit: 1, Log: slog.New(slog.DiscardHandler)})
			if _, got := l.Accept(); !errors.Is(got, err) {
				t.Errorf("Accept: %v, want %v", got, err)
			}
			if n := len(l.places); n != 0 {
				t.Errorf("%d places are taken after %v, want none", n, err)
			}
		})
	}
}
