package matrix

import (
	"encoding/json"
	"fmt"
	"strings"
)

// errCode returns the errcode in body, or "" if body is not a Matrix error.
func errCode(body []byte) string {
	var matrix struct {
		ErrCode string `json:"errcode"`
	}
	if json.Unmarshal(body, &matrix) != nil {
		return ""
	}
	return matrix.ErrCode
}

// statusError returns an error that names status and code. It leaves out code
// if code does not have the form of a Matrix errcode.
func statusError(status int, code string) error {
	if isErrCode(code) {
		return fmt.Errorf("status %d, errcode %s", status, code)
	}
	return fmt.Errorf("status %d", status)
}

// isErrCode reports whether code has the form M_CAPITAL_LETTERS.
func isErrCode(code string) bool {
	rest, ok := strings.CutPrefix(code, "M_")
	return ok && rest != "" && len(code) <= maxErrCode && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}
