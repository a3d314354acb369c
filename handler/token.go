package handler

import (
	"context"

	"matrixrtc-auth/access"
)

// tokenRequest handles a request to a token endpoint. decode parses the body.
func (h *Handler) tokenRequest(ctx context.Context, x *exchange, decode decoder, body []byte) (tokenAnswer, error) {
	who, what, err := decode(body)
	if err != nil {
		return tokenAnswer{}, err
	}
	got, err := h.Access.Token(ctx, x.openID(who), x.request(what))
	x.note(got)
	return tokenAnswer{url: h.urlJSON, jwt: got.Token}, onToken(err)
}

// openID adds the client's address to who, and returns it. It also stores the
// OpenID token, which proves who the user is, in x for the log.
func (x *exchange) openID(who access.OpenID) access.OpenID {
	who.Client = x.client
	x.openid = who.Token
	return who
}

// request sets the field By of what, and returns what. By is the time by which
// the answer must be sent.
func (x *exchange) request(what access.Request) access.Request {
	what.By = x.start.Add(requestTimeout)
	return what
}

// note stores the result of the request in x for the log.
func (x *exchange) note(got access.Admission) { x.got = got }

// tokenAnswer contains what a client needs to connect to the SFU.
type tokenAnswer struct {
	url string // the SFU's URL as JSON text
	jwt string // the access token; it has no characters that JSON must escape
}

func (a tokenAnswer) appendJSON(b []byte) []byte {
	b = append(b, `{"url":`...)
	b = append(b, a.url...)
	b = append(b, `,"jwt":"`...)
	b = append(b, a.jwt...)
	return append(b, `"}`...)
}
