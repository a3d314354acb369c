package doctor_test

import "net/http"

const (
	whoami       = "/account/whoami"
	requestToken = "/openid/request_token"
	memberState  = "/state/m.room.member/"
)

var userBreaks = map[string]func(*stack){
	"user-token": func(s *stack) { s.files["/token"] = "another" },
	"user-other": func(s *stack) { s.client = at(whoami, answering(`{"user_id":"@bob:example.org"}`).ServeHTTP) },
	"user-guest": func(s *stack) {
		s.client = at(whoami, answering(`{"user_id":"`+userID+`","is_guest":true}`).ServeHTTP)
	},
	"user-elsewhere": func(s *stack) {
		s.client = at(memberState, matrixError(http.StatusForbidden, "M_FORBIDDEN"))
	},
	"openid-refused": func(s *stack) { s.client = at(requestToken, matrixError(http.StatusNotFound, "M_UNRECOGNIZED")) },
}

// userMixed are users whose access token allows less than doctor needs. Each
// entry lists all findings that doctor must report.
var userMixed = map[string]mix{
	"an access token that has expired": {
		func(s *stack) { s.files["/token"] = "syt_expired" },
		[]string{"user.token user-token"},
	},
	"a token of another user, with which nothing is scheduled": {
		func(s *stack) {
			other := at(whoami, answering(`{"user_id":"@bob:other.org"}`).ServeHTTP)
			s.client = func(next http.Handler) http.Handler {
				return other(at("/send/", matrixError(http.StatusForbidden, "M_FORBIDDEN"))(next))
			}
		},
		[]string{"user.token user-other"},
	},
	"a user who has left the room": {
		func(s *stack) { s.client = at(memberState, answering(`{"membership":"leave"}`).ServeHTTP) },
		[]string{"homeserver.delayed_schedule user-elsewhere"},
	},
	"a guest whom the homeserver tells nothing": {
		func(s *stack) {
			s.client = around(
				at(transportsRoute, matrixError(http.StatusForbidden, "M_GUEST_ACCESS_FORBIDDEN")),
				at(whoami, answering(`{"user_id":"`+userID+`","is_guest":true}`).ServeHTTP))
		},
		[]string{"user.token user-guest"},
	},
	"a homeserver that does not say whose token it is": {
		func(s *stack) { s.client = at(whoami, matrixError(http.StatusNotFound, "M_UNRECOGNIZED")) },
		nil,
	},
	"a homeserver that refuses users OpenID tokens": {
		func(s *stack) { s.client = at(requestToken, matrixError(http.StatusForbidden, "M_FORBIDDEN")) },
		[]string{"user.openid openid-refused"},
	},
	"a homeserver that limits OpenID tokens": {
		func(s *stack) {
			s.client = at(requestToken, matrixError(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED"))
		},
		[]string{"user.openid homeserver-limits"},
	},
}
