package sfutest

import (
	"io"
	"net/http"
	"time"

	"github.com/twitchtv/twirp"
)

// Fault is what happens to an API call: it answers the call itself, or delays
// it and then calls next.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Delay calls next after d, unless the caller has left by then.
func Delay(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-time.After(d):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}
}

// Hang reads the call and never answers.
func Hang() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body) // without this, the server would not notice that the caller leaves
		<-r.Context().Done()
	}
}

// Drop closes the connection instead of answering.
func Drop() Fault {
	return func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }
}

// Answer sends an answer with this status, content type and body, as a proxy or
// another server might.
func Answer(status int, contentType, body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// Status sends an error page with this status.
func Status(status int) Fault {
	return Answer(status, "text/html", "<html><h1>"+http.StatusText(status)+"</h1></html>")
}

// Garbage sends the status 200 and bytes that are no protobuf message.
func Garbage() Fault { return Answer(http.StatusOK, "application/protobuf", "\xff\xff\xff\xff") }

// Redirect redirects the caller to the URL to.
func Redirect(to string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, to, http.StatusMovedPermanently)
	}
}

// TwirpError sends an error as LiveKit writes it. code is like
// "resource_exhausted".
func TwirpError(code, msg string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		twirp.WriteError(w, twirp.NewError(twirp.ErrorCode(code), msg))
	}
}
