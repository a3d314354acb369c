package config_test

import (
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

// TestHeadersOfClientsAreNoAddress checks that LIVEKIT_CLIENT_ADDRESS cannot
// name a header that clients write themselves. Such a header does not hold the
// client's address, and the log would show a secret in it.
func TestHeadersOfClientsAreNoAddress(t *testing.T) {
	for _, name := range []string{
		"Authorization", "Proxy-Authorization", "Cookie", "User-Agent", "Origin", "Referer", "Host", "Accept", "Accept-Language",
		"Content-Type", "Content-Length", "Sec-Fetch-Site", "Sec-Websocket-Key", "If-None-Match", "Access-Control-Request-Method",
		"X-Requested-With", "Connection", "Transfer-Encoding",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := config.Parse(minimal().with(vars{"LIVEKIT_CLIENT_ADDRESS": name}).input(), disk{}.read)
			if want := "clients write the header " + name; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want a fault with %q", err, want)
			}
		})
	}
	for _, name := range []string{"X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "Fastly-Client-IP", "X-Client-IP", "X-Azure-ClientIP", "Fly-Client-IP", "X-Cluster-Client-IP"} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := config.Parse(minimal().with(vars{"LIVEKIT_CLIENT_ADDRESS": name}).input(), disk{}.read); err != nil {
				t.Errorf("got %v, want no fault", err)
			}
		})
	}
}
