package doctor

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
)

// publicRoom asks LiveKit at its public URL whether it lets a participant into
// the room that doctor created over the API. It sends the token once in the
// query, as browsers do, and once in a header, as LiveKit's other clients do.
func (e livekit) publicRoom(ctx context.Context) engine.Finding {
	ticket := e.room.ticket(sfu.Identity("doctor-browser"))
	byQuery, err := e.look.Ask(ctx, e.validate(ticket, true))
	if err != nil {
		return found("sfu-broken", e.sfuVars(), "GET /rtc/validate: %s", reason(err))
	}
	byHeader, err := e.look.Ask(ctx, e.validate(ticket, false))
	if err != nil {
		return found("sfu-broken", e.sfuVars(), "GET /rtc/validate: %s", reason(err))
	}
	if f := e.judgeWay(byQuery, byHeader); isFault(f) {
		return f
	}
	return e.enter(ctx, ticket)
}

// validate returns the request that asks whether LiveKit lets somebody into the
// room with the access token in the argument ticket. If inQuery is true, the
// token is in the URL's query, else in the header Authorization.
func (e livekit) validate(ticket secret.Text, inQuery bool) instruments.Question {
	q := instruments.Question{Method: http.MethodGet, URL: e.publicSFU() + "/rtc/validate", Bearer: ticket, Header: http.Header{"Origin": {instruments.Origin}}}
	if inQuery {
		q.URL += "?access_token=" + url.QueryEscape(ticket.Reveal())
		q.Bearer = secret.Text{}
	}
	return q
}

// judgeWay compares LiveKit's answer for the token in the query with its answer
// for the token in the header.
func (e livekit) judgeWay(byQuery, byHeader instruments.Reply) engine.Finding {
	v := e.sfuVars()
	v["api"] = e.apiURL()
	const seen = "GET /rtc/validate with the token of a room that the API has made:"
	text := strings.TrimSpace(string(byQuery.Body))
	switch {
	case byQuery.Status == http.StatusOK && byHeader.Status == http.StatusOK:
		return engine.Finding{}
	case byQuery.Status == http.StatusOK && byHeader.Status == http.StatusUnauthorized:
		return found("authorization-dropped", v, "%s %d; in the header: %s", seen, byQuery.Status, byHeader)
	case byHeader.Status == http.StatusOK && byQuery.Status == http.StatusUnauthorized:
		return found("query-dropped", v, "%s in the query %d, in the header %d", seen, byQuery.Status, byHeader.Status)
	case isFault(stranger(askedSFU, byQuery, v, "")):
		return stranger(askedSFU, byQuery, v, seen)
	case byQuery.Status == http.StatusUnauthorized && isUntimely(text):
		return found("sfu-clock", v, "%s %d, by the clock of that LiveKit the token is not valid now", seen, byQuery.Status)
	case byQuery.Status == http.StatusUnauthorized:
		return found("sfu-other-keys", v, "%s %d", seen, byQuery.Status)
	case byQuery.Status == http.StatusNotFound && strings.HasPrefix(text, "requested room"):
		return found("sfu-other", v, "%s %d, the room does not exist", seen, byQuery.Status)
	case byQuery.Status == http.StatusNotFound:
		return found("validate-not-passed", v, "%s %s", seen, byQuery)
	}
	return found("sfu-no-route", v, "%s %s", seen, byQuery)
}

// enter opens a WebSocket to LiveKit as a browser does, and closes it again.
func (e livekit) enter(ctx context.Context, ticket secret.Text) engine.Finding {
	v := e.sfuVars()
	q := websocketQuestion(e.publicSFU() + "/rtc?access_token=" + url.QueryEscape(ticket.Reveal()))
	r, err := e.look.Ask(ctx, q)
	switch {
	case err != nil:
		return found("sfu-broken", v, "a WebSocket with a token: %s", reason(err))
	case r.Status == http.StatusSwitchingProtocols:
		return ok("the way to the room at %s is open, with the token in the query and in the header", e.sfuAt)
	case isFault(stranger(askedSFU, r, v, "")):
		return stranger(askedSFU, r, v, "a WebSocket with a token:")
	case r.Status == http.StatusUnauthorized:
		return found("query-dropped", v, "a WebSocket with the token in the query: %d; GET /rtc/validate with the same one: 200", r.Status)
	}
	return found("websocket-headers", v, "a WebSocket with a token: %s", r)
}

// websocketQuestion returns the request that opens a WebSocket.
func websocketQuestion(address string) instruments.Question {
	return instruments.Question{Method: http.MethodGet, URL: address, Header: http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"bWF0cml4cnRjLWF1dGguZA=="},
		"Origin":                {instruments.Origin},
	}}
}
