package main

import (
	"bytes"
	"errors"
	"strconv"
)

var (
	endOfHead     = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

// responseLength returns the length in bytes of the response at the start of b.
// It returns 0 while the head is incomplete.
func responseLength(b []byte) (int, error) {
	head := bytes.Index(b, endOfHead)
	if head < 0 {
		return 0, nil
	}
	_, value, ok := bytes.Cut(b[:head+2], contentLength)
	if !ok {
		return 0, errors.New("the answer has no Content-Length")
	}
	digits, _, _ := bytes.Cut(value, []byte("\r\n"))
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0, err
	}
	return head + len(endOfHead) + n, nil
}

// checkResponse says what is wrong with a complete response. It returns "" if
// nothing is wrong.
func checkResponse(b []byte, status string) string {
	const version = "HTTP/1.1 "
	got, ok := bytes.CutPrefix(b, []byte(version))
	if !ok || len(got) < 3 || string(got[:3]) != status {
		return "want status " + status + ", got " + string(b)
	}
	if status == "200" && !bytes.Contains(b, []byte(`"jwt":"ey`)) {
		return "the answer has status 200 and no token: " + string(b)
	}
	return ""
}
