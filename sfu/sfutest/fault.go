package sfutest

import (
	"io"
	"net/http"
	"time"

	"github.com/twitchtv/twirp"
)

// Fault changes what happens to an API call. It answers the call itself, or delays
// the call and then passes it to the handler next.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Delay passes the call on after the time d, unless the caller has left by then.
func Delay(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-time.After(d):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}
}

// Hang reads the call and never answers it.
func Hang() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body) // without this, the server would not notice when the caller leaves
		<-r.Context().Done()
	}
}

// Drop closes the connection without an answer.
func Drop() Fault {
	return func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }
}

// Answer sends an answer with this status, content type and body, as if a proxy
// or another server had sent it.
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

// Redirect redirects the caller to the given URL.
func Redirect(to string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, to, http.StatusMovedPermanently)
	}
}

// TwirpError sends an error in the form of LiveKit. code is like
// "resource_exhausted".
func TwirpError(code, msg string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		twirp.WriteError(w, twirp.NewError(twirp.ErrorCode(code), msg))
	}
}
