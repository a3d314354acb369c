package redisstore_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/internal/redisurl"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/redisstore"
)

const password = "hunter2%2Fhunter2" // no error and no line of the log may contain this password, encoded or not

func TestNoURL(t *testing.T) {
	if _, err := redisstore.Open(t.Context(), redisstore.Options{}); err == nil {
		t.Error("Open without a URL: got no error, want one")
	}
}

func TestPrefix(t *testing.T) {
	server := miniredis.RunT(t)
	url := redisurl.Must("redis://" + server.Addr())
	put(t, openWith(t, redisstore.Options{URL: url}), delegation(t, "a", time.Now()))
	put(t, openWith(t, redisstore.Options{URL: url, Prefix: "mine"}), delegation(t, "b", time.Now()))
	for _, key := range server.Keys() {
		if !strings.HasPrefix(key, "matrixrtc-auth{leave}:") && !strings.HasPrefix(key, "mine{leave}:") {
			t.Errorf("got the key %q, want one with a prefix", key)
		}
	}
	if got := len(server.Keys()); got != 2*11 {
		t.Errorf("got %d keys, want eleven for each of two stores, because nobody is present and no clock has jumped: %q", got, server.Keys())
	}
	if _, err := redisstore.Open(t.Context(), redisstore.Options{URL: url, Prefix: "a{b}"}); err == nil {
		t.Error("Open with a brace in the prefix: got no error, want one")
	}
}

func TestDatabase(t *testing.T) {
	server := miniredis.RunT(t)
	put(t, open(t, "redis://"+server.Addr()+"/7"), delegation(t, "a", time.Now()))
	if got := len(server.DB(7).Keys()); got == 0 || len(server.Keys()) != 0 {
		t.Errorf("got %d keys in database 7 and %d in the first, want some and none", got, len(server.Keys()))
	}
}

// TestForeignParameters opens a URL that has parameters of go-redis. The store must
// ignore these parameters, and keep its own time limits.
func TestForeignParameters(t *testing.T) {
	addr := silentServer(t)
	begin := time.Now()
	s, err := redisstore.Open(t.Context(), redisstore.Options{
		URL: redisurl.Must("redis://" + addr + "?read_timeout=60s&max_retries=10&pool_size=1000&dial_timeout=60&protocol=3"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("Open took %v, want at most 10 s", took)
	}
}

// silentServer starts a server that accepts connections and never answers.
func silentServer(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c)
		}
	}()
	return l.Addr().String()
}

func TestUnreachable(t *testing.T) {
	server := miniredis.RunT(t)
	addr := server.Addr()
	server.Close()
	var log logtest.Log
	s, err := redisstore.Open(t.Context(), redisstore.Options{URL: redisurl.Must("redis://:" + password + "@" + addr), Log: log.Logger()})
	if err != nil {
		t.Fatalf("Open of a server that is away: got %v, want no error", err)
	}
	defer s.Close()
	if !log.Has("does not answer") || log.Has("hunter2") {
		t.Errorf("log: got %s, want that the server does not answer, and no password", &log)
	}
	job := delegation(t, "a", time.Now())
	if _, err := s.Put(t.Context(), job); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Put to a server that is away: got %v, want an error without the password", err)
	}
	again := miniredis.NewMiniRedis()
	again.RequireAuth("hunter2/hunter2")
	if err := again.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	eventually(t, func() error { _, err := s.Put(t.Context(), job); return err })
}

func TestPassword(t *testing.T) {
	server := miniredis.RunT(t)
	server.RequireUserAuth("leave", "hunter2/hunter2")
	for name, test := range map[string]struct {
		options redisstore.Options
		refused bool
	}{
		"in the URL":   {redisstore.Options{URL: redisurl.Must("redis://leave:" + password + "@" + server.Addr())}, false},
		"separate":     {redisstore.Options{URL: redisurl.Must("redis://" + server.Addr()), Username: "leave", Password: always(secret.New("hunter2/hunter2"))}, false},
		"separate one": {redisstore.Options{URL: redisurl.Must("redis://leave:wrong@" + server.Addr()), Password: always(secret.New("hunter2/hunter2"))}, false},
		"none":         {redisstore.Options{URL: redisurl.Must("redis://" + server.Addr())}, true},
		"wrong":        {redisstore.Options{URL: redisurl.Must("redis://leave:" + password + "@" + server.Addr()), Password: always(secret.New("hunter2"))}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := redisstore.Open(t.Context(), test.options)
			if (err != nil) != test.refused {
				t.Errorf("%s: got %v, want an error: %v", name, err, test.refused)
			}
			if err == nil {
				s.Close()
			} else if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "LIVEKIT_REDIS_PASSWORD") {
				t.Errorf("%s: got %q, want LIVEKIT_REDIS_PASSWORD in it, and no password", name, err)
			}
		})
	}
}

// TestPasswordChanges changes the password of the server, and then the password that
// the store gets. After that, the store must work again.
func TestPasswordChanges(t *testing.T) {
	server := miniredis.RunT(t)
	server.RequireAuth("former")
	password := secret.New("former")
	var log logtest.Log
	s := openWith(t, redisstore.Options{
		URL: redisurl.Must("redis://" + server.Addr()), Password: func() secret.Text { return password }, Log: log.Logger(),
	})
	put(t, s, delegation(t, "a", time.Now()))
	addr := server.Addr()
	server.Close() // this also closes all connections
	server.RequireAuth("present")
	if err := server.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), delegation(t, "b", time.Now())); err == nil {
		t.Error("Put with the former password: got no error, want one")
	}
	password = secret.New("present")
	put(t, s, delegation(t, "b", time.Now()))
}

// TestEchoedPassword has a server that repeats in its errors what the client has sent.
// The errors of the store must not contain the password.
func TestEchoedPassword(t *testing.T) {
	addr := echoingServer(t)
	var log logtest.Log
	s, err := redisstore.Open(t.Context(), redisstore.Options{URL: redisurl.Must("redis://:" + password + "@" + addr), Log: log.Logger()})
	if err == nil {
		_, err = s.Get(t.Context(), leave.Key{})
		s.Close()
	}
	if !strings.Contains(err.Error()+log.String(), "[redacted]") {
		t.Errorf("the error and the log: got %s, want [redacted] in place of the password", err.Error()+log.String())
	}
	if strings.Contains(err.Error()+log.String(), "hunter2") {
		t.Errorf("the error and the log: got %s, want no hunter2 in it", err.Error()+log.String())
	}
}

// echoingServer starts a server that answers each command with an error. The error
// repeats the command.
func echoingServer(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buffer := make([]byte, 4096)
				for {
					n, err := c.Read(buffer)
					if err != nil {
						return
					}
					said := bytes.ReplaceAll(buffer[:n], []byte("\r\n"), []byte(" "))
					c.Write([]byte("-ERR unknown command " + string(said) + "\r\n"))
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestQuiet checks that go-redis prints nothing to standard error. TestQuiet runs
// another test in a new process and reads that process's standard error, because the
// logger of go-redis always writes to the standard error of the process's start.
func TestQuiet(t *testing.T) {
	child := exec.Command(os.Args[0], "-test.run=^TestUnreachable$")
	var printed bytes.Buffer
	child.Stderr = &printed
	if err := child.Run(); err != nil {
		t.Errorf("Run: got %v, want no error", err)
	}
	if printed.Len() > 0 {
		t.Errorf("standard error of the child process: got %q, want nothing", &printed)
	}
}

func TestTLS(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	server := miniredis.NewMiniRedis()
	if err := server.StartTLS(&tls.Config{Certificates: certificate.TLS.Certificates}); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Certificate())
	url := redisurl.Must("rediss://" + server.Addr())
	trusted := x509.NewCertPool()
	renewed := openWith(t, redisstore.Options{URL: url, Roots: func() *x509.CertPool { return trusted }})
	if _, err := renewed.Put(t.Context(), delegation(t, "a", time.Now())); err == nil {
		t.Error("Put with an empty list of authorities: got no error, want one")
	}
	trusted = roots // the service does this when it reads the file with trusted certificates again
	put(t, renewed, delegation(t, "a", time.Now()))

	var log logtest.Log
	s, err := redisstore.Open(t.Context(), redisstore.Options{URL: url, Log: log.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !log.Has("certificate") {
		t.Errorf("Open of a server of an unknown authority: got the log %s, want a word about the certificate", &log)
	}
}

// TestServersOwnWords has a server with a long error that contains control characters.
// The store must show one short line without control characters.
func TestServersOwnWords(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr())
	server.SetError("ERR \x1b[31m" + strings.Repeat("x", 10_000))
	_, err := s.Put(t.Context(), delegation(t, "a", time.Now()))
	server.SetError("")
	if err == nil || len(err.Error()) > 220 || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("Put: %.300q, want an error of at most 220 bytes that can be printed", fmt.Sprint(err))
	}
}
