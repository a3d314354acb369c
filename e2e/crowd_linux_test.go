package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// crowd is the number of participants who join one room at the same time.
const crowd = 100

// BenchmarkJoins makes a crowd join one room, with tickets in the tokens and
// without. It reports the time until all participants see each other, the SFU's
// CPU time, and the bytes that the SFU sent to the participants, not counting
// media.
func BenchmarkJoins(b *testing.B) {
	server := attributes(b, 0)
	kinds := []string{"without", "with"}
	total := map[string]joined{}
	rounds := 0
	for b.Loop() {
		for i := range kinds {
			kind := kinds[(i+rounds)%2] // the kind that was second in one round is first in the next
			total[kind] = total[kind].plus(joinAll(b, server, sfu.Room(fmt.Sprintf("room-%d-%s", rounds, kind)), kind == "with"))
		}
		rounds++
	}
	for kind, of := range total {
		b.ReportMetric(of.took.Seconds()/float64(rounds), "s/"+kind)
		b.ReportMetric(of.cpu.Seconds()/float64(rounds), "cpu-s/"+kind)
		b.ReportMetric(float64(of.sent)/float64(rounds)/1000, "kB/"+kind)
	}
	b.ReportMetric(total["with"].took.Seconds()/total["without"].took.Seconds(), "time-ratio")
	b.ReportMetric(total["with"].cpu.Seconds()/total["without"].cpu.Seconds(), "cpu-ratio")
}

// joined is the cost of the joins of one crowd: the time, the SFU's CPU time, and the
// bytes that the SFU sent besides media.
type joined struct {
	took, cpu time.Duration
	sent      int64
}

func (j joined) plus(o joined) joined { return joined{j.took + o.took, j.cpu + o.cpu, j.sent + o.sent} }

// joinAll makes the crowd join a room. The participants leave when all of them see each
// other.
func joinAll(b *testing.B, server *stack.SFU, room sfu.Room, sealed bool) joined {
	createRoom(b, server, string(room))
	url, sent, end := counting(b, server)
	defer end()
	tokens := tokensOf(b, room, sealed)
	ctx, cancel := context.WithTimeout(b.Context(), 3*time.Minute)
	defer cancel()
	var (
		all  sync.WaitGroup
		in   = make([]*participant.Participant, crowd)
		fail = make([]error, crowd)
	)
	before, start := cpuOf(b, server.PID()), time.Now()
	for i := range in {
		all.Go(func() { in[i], fail[i] = participant.Join(ctx, url, tokens[i]) })
	}
	all.Wait()
	for i, p := range in {
		if fail[i] != nil {
			b.Fatalf("Join of participant %d: got %v, want no error", i, fail[i])
		}
		defer p.Leave()
		awaitOthers(b, ctx, p)
	}
	return joined{time.Since(start), cpuOf(b, server.PID()) - before, sent.Load()}
}

func awaitOthers(b *testing.B, ctx context.Context, p *participant.Participant) {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for p.Others() < crowd-1 {
		select {
		case <-again.C:
		case <-ctx.Done():
			b.Fatalf("%s sees %d others, want %d", p.Identity(), p.Others(), crowd-1)
		}
	}
}

// tokensOf returns a token for each participant of the crowd. If sealed is true, each
// token contains a ticket, like the tokens that the service makes.
func tokensOf(b *testing.B, room sfu.Room, sealed bool) (tokens []string) {
	with, without := ticket.NewMinter([]sfu.Key{ourKey}, time.Hour), token.NewMinter(ourKey, time.Hour)
	for i := range crowd {
		grant, content := grantOf(b, room, i)
		if sealed {
			tokens = append(tokens, with.Mint(grant, content, time.Now()))
		} else {
			tokens = append(tokens, without.Mint(grant, time.Now()))
		}
	}
	return tokens
}

// counting starts a proxy for the SFU's signalling port, and returns the proxy's URL.
// sent counts the bytes that the SFU sends through the proxy.
func counting(b *testing.B, server *stack.SFU) (url string, sent *atomic.Int64, end func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	sent = &atomic.Int64{}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { relay(client, strings.TrimPrefix(server.APIURL(), "http://"), sent) })
		}
	})
	return "ws://" + listener.Addr().String(), sent, func() { listener.Close() }
}

func relay(client net.Conn, address string, sent *atomic.Int64) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(server, client)
		server.Close()
	}()
	io.Copy(counter{client, sent}, server)
}

// counter writes to a Writer, and counts the bytes.
type counter struct {
	io.Writer
	n *atomic.Int64
}

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.Writer.Write(p)
}

// cpuOf returns the CPU time that a process has used, in user mode and in the kernel
// (proc_pid_stat(5)). The kernel counts in hundredths of a second.
func cpuOf(b *testing.B, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] { // the fields utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
