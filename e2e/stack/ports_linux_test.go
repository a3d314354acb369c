package stack

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestAddressIsFree checks that awaitFree looks only at the address that a program will
// bind. The same port may be in use at another address.
func TestAddressIsFree(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for address, free := range map[string]bool{
		taken: false, everywhere(port(taken)): false, fmt.Sprintf("127.0.0.2:%d", port(taken)): true,
	} {
		t.Run(address, func(t *testing.T) {
			err := awaitFree(ctx, []string{address})
			if (err == nil) != free || err != nil && !strings.Contains(err.Error(), "address already in use") {
				t.Errorf("awaitFree(%s): got %v, want it free: %v", address, err, free)
			}
		})
	}
}
