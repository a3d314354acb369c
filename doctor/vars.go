package doctor

import "strings"

// vars replace the placeholders of a cause's texts: {server}, {url} and so on.
type vars map[string]string

// examples stand for them in the documentation.
var examples = vars{
	"server": "example.org", "host": "example.org", "url": "https://jwt.example.org", "sfu": "wss://sfu.example.org",
	"base": "https://matrix.example.org", "port": "443", "address": "203.0.113.7", "name": "turn.example.org",
	"key": "matrixrtc", "hook": "other", "setting": "level", "route": "/get_token", "reason": "signature",
	"document": "https://example.org/.well-known/matrix/client", "address6": "2001:db8::7",
	"check": "homeserver.tls", "command": "curl -i https://jwt.example.org/healthz",
	"days": "9", "range": "50000-50200", "other": "https://matrix.example.org",
}

// examplesOf are those of one group of checks that differ.
var examplesOf = map[string]vars{
	"public": {"host": "jwt.example.org", "other": "https://jwt.example.org/livekit/jwt"},
	"user":   {"other": "wss://other.example.org"},
	"sfu": {"host": "sfu.example.org", "url": "https://sfu.example.org",
		"command": "matrixrtc-auth doctor --outside --server-name example.org --sfu-url wss://sfu.example.org"},
}

func (v vars) fill(text string) string {
	var pairs []string
	for _, from := range []vars{v, examples} {
		for name, value := range from {
			pairs = append(pairs, "{"+name+"}", clip(value)) // it may be a stranger's
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
