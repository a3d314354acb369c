package handler

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5"
)

// Headers returns the names of the request headers that the handler reads.
func (h *Handler) Headers() []string {
	return []string{"Authorization", headerUser, headerOrigin, headerForwardedFor, headerRealIP, headerRequestID, h.Proxies.Header}
}

// Refuse answers a request that net/http cannot read. status is usually 400, or
// 431 if the headers are larger than the server allows. Refuse returns the
// whole answer, with this status and a Matrix error. It also writes the log
// line. It knows nothing about the request except the peer of the connection.
func (h *Handler) Refuse(status int, peer net.Addr) []byte {
	p := malformed
	if status == http.StatusRequestHeaderFieldsTooLarge {
		p = headersTooLarge
	}
	x := &exchange{start: time.Now(), id: newRequestID(), status: status, cause: p.cause}
	if addr := peerAddr(peer.String()); !h.Proxies.Trust(addr) {
		x.client = addr
	}
	unread := &http.Request{URL: new(url.URL)}
	h.record(x, unread.WithContext(context.WithValue(context.Background(), chi.RouteCtxKey, chi.NewRouteContext())))

	body := p.body()
	answer := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header:        http.Header{"Content-Type": typeJSON, "Cache-Control": noStore, headerRequestID: {x.id}},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}
	setCORS(answer.Header, corsPost)
	var b bytes.Buffer
	_ = answer.Write(&b) // cannot fail, because b is a bytes.Buffer
	return b.Bytes()
}
