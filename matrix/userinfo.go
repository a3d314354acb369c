package matrix

import (
	"bytes"
	"encoding/json"
	"errors"
)

// parseUserInfo returns the user id in {"sub": …}. Its errors quote no part of
// the answer, because the answer may hold the token.
func parseUserInfo(body []byte) (UserID, error) {
	subject, plain := plainSubject(body)
	if !plain {
		var info struct {
			Subject string `json:"sub"`
		}
		if json.Unmarshal(body, &info) != nil {
			return UserID{}, errors.New("the answer is not a JSON object with the string \"sub\"")
		}
		subject = info.Subject
	}
	user, err := ParseUserID(subject)
	if err != nil {
		return UserID{}, errors.New("\"sub\" is missing or not a user id")
	}
	return user, nil
}

// plainSubject reads {"sub":"…"} in the form in which nearly all homeservers
// write it. In this form, there is no other field, no escape, and only
// printable ASCII. For any other body, ok is false. plainSubject takes an
// eighth of the time of encoding/json (BenchmarkUserInfo).
func plainSubject(body []byte) (subject string, ok bool) {
	rest, begins := bytes.CutPrefix(body, []byte(`{"sub":"`))
	inner, ends := bytes.CutSuffix(rest, []byte(`"}`))
	if !begins || !ends {
		return "", false
	}
	for _, c := range inner {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return "", false
		}
	}
	return string(inner), true
}
