package main

import (
	"fmt"
	"strings"
	"testing"

	"matrixrtc-auth/config"
)

func TestReachable(t *testing.T) {
	for bind, want := range map[config.Bind]string{
		{Network: "tcp", Address: ":8080"}:            "127.0.0.1:8080 [::1]:8080",
		{Network: "tcp", Address: "0.0.0.0:8080"}:     "127.0.0.1:8080 [::1]:8080",
		{Network: "tcp", Address: "[::]:8080"}:        "127.0.0.1:8080 [::1]:8080",
		{Network: "tcp", Address: "127.0.0.1:8080"}:   "127.0.0.1:8080",
		{Network: "tcp", Address: "[::1]:8080"}:       "[::1]:8080",
		{Network: "tcp", Address: "auth.lan:8080"}:    "auth.lan:8080",
		{Network: "unix", Address: "/run/auth:1.soc"}: "/run/auth:1.soc",
	} {
		t.Run(fmt.Sprint(bind), func(t *testing.T) {
			if got := strings.Join(reachable(bind), " "); got != want {
				t.Errorf("reachable(%s): got %s, want %s", bind, got, want)
			}
		})
	}
}
