package doctor

import "strings"

// vars replace the placeholders of a cause's texts: {server}, {url} and so on.
type vars map[string]string

// examples stand for them in the documentation.
var examples = vars{
	"server": "example.org", "host": "example.org", "url": "https://jwt.example.org", "sfu": "wss://sfu.example.org",
	"base": "https://matrix.example.org", "port": "443", "address": "203.0.113.7", "name": "turn.example.org",
	"key": "matrixrtc", "what": "it", "check": "homeserver.tls", "command": "curl -i https://jwt.example.org/healthz",
	"days": "9", "range": "50000-50200", "other": "https://matrix.example.org",
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
