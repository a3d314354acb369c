package matrix

import (
	"fmt"
	"testing"
)

// TestStrangersRefusalsForgetNobody checks many servers that require
// authentication. The operator named only one of them. The service must not
// forget that this server requires authentication. Of the other servers, it
// must remember those that refused last.
func TestStrangersRefusalsForgetNobody(t *testing.T) {
	named := ServerName{"named.test"}
	events := &DelayedEvents{APIs: &ClientAPIs{Servers: Servers{Named: func(s ServerName) bool { return s == named }}}}
	stranger := func(i int) ServerName { return ServerName{fmt.Sprintf("s%d.test", i)} }
	events.learn(named, ResultNeedsToken)
	const strangers = 5000
	for i := range strangers {
		events.learn(stranger(i), ResultNeedsToken)
	}
	for server, want := range map[ServerName]bool{named: true, stranger(strangers - 1): true, stranger(strangers - 4000): true, stranger(0): false} {
		t.Run(fmt.Sprint(server), func(t *testing.T) {
			if got := events.Refuses(server); got != want {
				t.Errorf("after %d strangers: Refuses(%s) = %v, want %v", strangers, server, got, want)
			}
		})
	}
	events.learn(named, ResultDone)
	if events.Refuses(named) {
		t.Errorf("Refuses(%s) after it managed an event: got true, want false", named)
	}
}
