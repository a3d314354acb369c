package handler

import (
	"context"

	"matrixrtc-auth/access"
)

// tokenRequest serves a token endpoint. decode parses the body of its requests.
func (h *Handler) tokenRequest(ctx context.Context, x *exchange, decode decoder, body []byte) (tokenAnswer, error) {
	who, what, err := decode(body)
	if err != nil {
		return tokenAnswer{}, err
	}
	got, err := h.Access.Token(ctx, x.openID(who), x.request(what))
	x.note(got)
	return tokenAnswer{url: h.urlJSON, jwt: got.Token}, onToken(err)
}

// openID returns the proof who with the client's address added. It also keeps
// the OpenID token in x, for the log.
func (x *exchange) openID(who access.OpenID) access.OpenID {
	who.Client = x.client
	x.openid = who.Token
	return who
}

// request returns what with its field By set to the time by which the answer
// must be sent.
func (x *exchange) request(what access.Request) access.Request {
	what.By = x.start.Add(requestTimeout)
	return what
}

// note keeps got, the result of the request, in x for the log.
func (x *exchange) note(got access.Admission) { x.got = got }

// tokenAnswer is what a client needs to connect to the SFU.
type tokenAnswer struct {
	url string // the SFU's URL as JSON text
	jwt string // the access token, which needs no escape in JSON
}

func (a tokenAnswer) appendJSON(b []byte) []byte {
	b = append(b, `{"url":`...)
	b = append(b, a.url...)
	b = append(b, `,"jwt":"`...)
	b = append(b, a.jwt...)
	return append(b, `"}`...)
}
