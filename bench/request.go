package main

import (
	"fmt"
	"strings"
)

// request is the bytes of an HTTP request. Each sent request needs a new token.
// The method numbered writes the token's digits into these bytes, which is
// faster than making a new request.
type request struct {
	text   []byte
	serial []int // the places in text at which the digits of the token begin
	user   []int // the places in text at which the digits of the user's name begin
	status string
}

// In a template of a request, these bytes stand in the places of the token's and
// the user's digits. They occur nowhere else in a request.
var (
	serialMark = strings.Repeat("\x01", tokenDigits)
	userMark   = strings.Repeat("\x02", userDigits)
)

func newRequest(body, status string) *request {
	return requestOf("/get_token", "X-Forwarded-For: 2001:db8:0:"+userMark+"::1", body, status)
}

// requestOf returns a POST request for path. head holds additional header lines,
// and status is the expected status of the answer.
func requestOf(path, head, body, status string) *request {
	text := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: jwt.example.org\r\nContent-Type: application/json\r\n%s\r\nContent-Length: %d\r\n\r\n%s",
		path, head, len(body), body)
	return &request{
		text:   []byte(text),
		serial: occurrences(text, serialMark),
		user:   occurrences(text, userMark),
		status: status,
	}
}

func occurrences(text, mark string) []int {
	var at []int
	for from := 0; ; {
		i := strings.Index(text[from:], mark)
		if i < 0 {
			return at
		}
		at = append(at, from+i)
		from += i + len(mark)
	}
}

// numbered returns the request with token number n. The user's number is n
// modulo 10,000. The result is valid until the next call. The header
// X-Forwarded-For holds a different address for each user, as if a reverse
// proxy had forwarded the request.
func (r *request) numbered(n int) []byte {
	var digits [tokenDigits]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	for _, at := range r.serial {
		copy(r.text[at:], digits[:])
	}
	for _, at := range r.user {
		copy(r.text[at:], digits[tokenDigits-userDigits:])
	}
	return r.text
}

// bodyOf returns a body for /get_token in the form that Element Call writes.
func bodyOf(server, token, user string) string {
	return fmt.Sprintf(`{"room_id":"!bench:%[1]s","slot_id":"m.call#ROOM",`+
		`"openid_token":{"access_token":"%[2]s","expires_in":3600,"matrix_server_name":"%[1]s","token_type":"Bearer"},`+
		`"member":{"id":"xyzABCDEF0123","claimed_user_id":"@u%[3]s:%[1]s","claimed_device_id":"DEVICEID"}}`, server, token, user)
}

// mix returns the requests that one connection sends. The first one is valid.
// The service must refuse all following ones.
func mix(server string, withInvalid bool) []*request {
	good := bodyOf(server, "ok-"+serialMark, userMark)
	requests := []*request{newRequest(good, "200")}
	if !withInvalid {
		return requests
	}
	return append(requests,
		newRequest(bodyOf(server, "bad-"+serialMark, userMark), "401"),
		newRequest(bodyOf(server, "ok-"+serialMark, "somebody-else"), "401"),
		newRequest(strings.TrimSuffix(good, "}"), "400"),
	)
}

// pick returns the request to send as number n. For an even n it returns the
// valid request. For odd numbers it returns the invalid requests in turn.
func pick(requests []*request, n int) *request {
	others := len(requests) - 1
	if others == 0 || n%2 == 0 {
		return requests[0]
	}
	return requests[1+n/2%others]
}
