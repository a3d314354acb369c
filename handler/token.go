package handler

import (
	"context"

	"matrixrtc-auth/access"
)

// tokenRequest is what every endpoint for OpenID tokens does once it has a
// decoder.
func (h *Handler) tokenRequest(ctx context.Context, x *exchange, decode decoder, body []byte) (tokenAnswer, error) {
	who, what, err := decode(body)
	if err != nil {
		return tokenAnswer{}, err
	}
	got, err := h.Access.Token(ctx, x.openID(who), x.request(what))
	x.note(got)
	return tokenAnswer{url: h.urlJSON, jwt: got.Token}, onToken(err)
}

// openID completes the proof of who asks, and keeps it for the log.
func (x *exchange) openID(who access.OpenID) access.OpenID {
	who.Client = x.client
	x.openid = who.Token
	return who
}

// request says by when the answer must be there.
func (x *exchange) request(what access.Request) access.Request {
	what.By = x.start.Add(requestTimeout)
	return what
}

// note keeps for the log what came of the request.
func (x *exchange) note(got access.Admission) { x.got = got }

// tokenAnswer is what a client needs to connect to the SFU.
type tokenAnswer struct {
	url string // as JSON
	jwt string // needs no escape
}

func (a tokenAnswer) appendJSON(b []byte) []byte {
	b = append(b, `{"url":`...)
	b = append(b, a.url...)
	b = append(b, `,"jwt":"`...)
	b = append(b, a.jwt...)
	return append(b, `"}`...)
}
