package matrix

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is the longest time that a server's 429 can make this service
// wait.
const maxRetryAfter = time.Hour

// retryAfter returns how long a server that answered 429 wants this service to
// wait, at most an hour. It reads the header Retry-After (seconds or a date).
// Without that header, it reads retry_after_ms in the body. If there is
// neither, it returns zero.
func retryAfter(header string, body []byte, now time.Time) time.Duration {
	var document struct {
		Milliseconds float64 `json:"retry_after_ms"`
	}
	_ = json.Unmarshal(body, &document)
	wait := time.Duration(min(max(document.Milliseconds, 0), float64(maxRetryAfter.Milliseconds()))) * time.Millisecond
	if seconds, err := strconv.ParseUint(strings.TrimSpace(header), 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
