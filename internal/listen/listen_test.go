package listen

import (
	"os/exec"
	"sync"
	"testing"
)

func TestFreeWhileProcessesStart(t *testing.T) {
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	var starts sync.WaitGroup
	defer starts.Wait()
	defer close(end)
	for range 4 {
		starts.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
					if err := exec.Command(program).Run(); err != nil {
						t.Errorf("%s: got %v, want no error", program, err)
					}
				}
			}
		})
	}
	tcp, udp := "127.0.0.1:0", "127.0.0.1:0"
	for i := range 1000 {
		l, err := TCP(tcp)
		if err != nil {
			t.Fatalf("round %d: got %v, want a listener", i, err)
		}
		c, err := UDP(udp)
		if err != nil {
			t.Fatalf("round %d: got %v, want a listener", i, err)
		}
		tcp, udp = l.Addr().String(), c.LocalAddr().String()
		l.Close()
		c.Close()
	}
}
