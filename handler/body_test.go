package handler

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// padded returns a valid body of exactly n bytes.
func padded(n int) string {
	body := sfuGetBody("@alice:" + homeserver)
	return body + strings.Repeat(" ", n-len(body))
}

func TestBodyLimit(t *testing.T) {
	url := newRig().listen(t) + "/sfu/get"
	if status, body := post(t, url, padded(maxBodyBytes)); status != 200 {
		t.Errorf("64 KiB: got %d %s, want 200", status, body)
	}
	const tooLarge = `{"errcode":"M_TOO_LARGE","error":"The body is too large"}`
	if status, body := post(t, url, padded(maxBodyBytes+1)); status != 413 || body != tooLarge {
		t.Errorf("64 KiB and a byte: got %d %s, want 413 %s", status, body, tooLarge)
	}
	resp, err := http.Post(url, "", io.MultiReader(strings.NewReader(padded(maxBodyBytes+1)))) // the length of a MultiReader is unknown, so the client sends the body chunked
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 413 || string(body) != tooLarge {
		t.Errorf("64 KiB and a byte, chunked: got %d %s, want 413 %s", resp.StatusCode, body, tooLarge)
	}
}

// zeros is a reader of endless zero bytes. The field read counts the bytes that
// were read.
type zeros struct{ read int64 }

func (z *zeros) Read(p []byte) (int, error) {
	z.read += int64(len(p))
	clear(p)
	return len(p), nil
}

func TestTenMegabytes(t *testing.T) {
	url := newRig().listen(t) + "/sfu/get"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 20
	for range rounds {
		body := &zeros{}
		resp, err := http.Post(url, "", io.LimitReader(body, 10<<20))
		if err != nil {
			continue // the server may close the connection while the client still sends
		}
		if resp.StatusCode != 413 {
			t.Errorf("%d, want 413", resp.StatusCode)
		}
		resp.Body.Close()
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / rounds; each > 1<<20 {
		t.Errorf("each refused body allocates %d bytes, want at most %v", each, 1<<20)
	}
}

// TestLargeBodiesTakeTurns checks that many clients with large bodies cannot
// fill the memory. Only largeBodies.Total such requests may proceed at the same
// time. The other requests must wait.
func TestLargeBodiesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most := largeBodies.Total
		r := newRig()
		r.Routes()
		release := make(chan struct{})
		asked := make(chan struct{}, 10*most)
		r.verifier.before = func(context.Context) error { asked <- struct{}{}; <-release; return nil }
		codes := make(chan int, most+11)
		send := func(body string, network int) {
			codes <- r.serve("POST", "/sfu/get", body, "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", network)).Code
		}
		for i := range most + 10 {
			go send(padded(maxBodyBytes), i)
		}
		synctest.Wait()
		if n := len(asked); n != most {
			t.Errorf("%d large bodies are held, want %d", n, most)
		}
		go send(sfuGetBody("@alice:"+homeserver), 0)
		synctest.Wait()
		if n := len(asked); n != most+1 {
			t.Errorf("a small body waits for the large ones: got %v, want %v", n, most+1)
		}
		close(release)
		for range most + 11 {
			if code := <-codes; code != 200 {
				t.Errorf("got %d, want 200", code)
			}
		}
	})
}

// TestLargeBodiesOfOneNetwork checks that one client network gets at most half
// of the permits for large bodies. A request of another network with a large
// body must not have to wait.
func TestLargeBodiesOfOneNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		most := largeBodies.Total
		r := newRig()
		r.Routes()
		release := make(chan struct{})
		asked := make(chan struct{}, 2*most)
		r.verifier.before = func(context.Context) error { asked <- struct{}{}; <-release; return nil }
		codes := make(chan int, 2*most)
		send := func(from string) {
			codes <- r.serve("POST", "/sfu/get", padded(maxBodyBytes), "X-Forwarded-For", from).Code
		}
		for range most {
			go send("192.0.2.1")
		}
		synctest.Wait()
		go send("192.0.2.2")
		synctest.Wait()
		if got, want := len(asked), most/2+1; got != want {
			t.Errorf("%d large bodies are held, want %d: half for one network, and one of another", got, want)
		}
		time.Sleep(largeBodyWait)
		synctest.Wait()
		if got, want := len(codes), most/2; got != want {
			t.Errorf("%d were told to wait after %v, want %d", got, largeBodyWait, want)
		}
		close(release)
		count := map[int]int{}
		for range most + 1 {
			count[<-codes]++
		}
		if want := map[int]int{429: most / 2, 200: most/2 + 1}; !maps.Equal(count, want) {
			t.Errorf("answers %v, want %v", count, want)
		}
	})
}

func TestTruncatedBody(t *testing.T) {
	r := newRig()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.listen(t), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /sfu/get HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"room\":")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 400 || !strings.Contains(string(body), "M_NOT_JSON") {
		t.Errorf("%d %s, want 400 M_NOT_JSON", resp.StatusCode, body)
	}
}

// TestReadTimeoutEndsWithTheBody checks that the ReadTimeout of the server ends
// when the whole body has arrived. The answer may take longer.
func TestReadTimeoutEndsWithTheBody(t *testing.T) {
	r := newRig()
	server := httptest.NewUnstartedServer(r.Routes())
	server.Config.ReadTimeout = time.Second
	server.Start()
	defer server.Close()
	r.verifier.before = func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(3 * server.Config.ReadTimeout / 2):
			return nil
		}
	}
	if status, body := post(t, server.URL+"/sfu/get", sfuGetBody("@alice:"+homeserver)); status != 200 {
		t.Errorf("got %d %s, want 200", status, body)
	}
}

// TestBuffersDoNotMix checks that an answer never contains text that an earlier
// answer left in a reused buffer.
func TestBuffersDoNotMix(t *testing.T) {
	r := newRig()
	long := getTokenBody("@" + strings.Repeat("long", 40) + ":" + homeserver)
	for range 100 {
		r.serve("POST", "/get_token", long)
		w := r.serve("POST", "/sfu/get", sfuGetBody("@bob:"+homeserver))
		if got, want := w.Body.String(), `{"url":"wss://sfu.example.org/path?a=b&c=<d>","jwt":"header.payload.signature"}`; got != want {
			t.Fatalf("answer = %s, want %s", got, want)
		}
	}
}

// TestRefusalReachesAProxy checks a proxy that is still sending the body of a
// request when the service refuses the request. The proxy must get the answer.
// It uses each connection for one request, as nginx does by default.
func TestRefusalReachesAProxy(t *testing.T) {
	server := httptest.NewServer(newRig().Routes())
	defer server.Close()
	for path, want := range map[string]int{"/sfu/get": 413, "/nope": 404, "/healthz": 405} {
		t.Run(path, func(t *testing.T) {
			for _, size := range []int{maxBodyBytes + 1, 100_000, 5_000_000} {
				conn, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", path, size)
				io.Copy(conn, io.LimitReader(&zeros{}, int64(size))) // Copy fails when the server closes the connection
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Errorf("%s with %d bytes: got %v, want an answer", path, size, err)
				} else if resp.StatusCode != want {
					t.Errorf("%s with %d bytes: %d, want %d", path, size, resp.StatusCode, want)
				}
			}
		})
	}
}
