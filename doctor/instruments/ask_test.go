package instruments

import "testing"

// TestErrCode checks that ErrCode returns error codes of Matrix (M_…) and of Matrix
// proposals (ORG.MATRIX.MSC…), and "" for any other text.
func TestErrCode(t *testing.T) {
	for body, want := range map[string]string{
		`{"errcode":"M_NOT_FOUND"}`:                        "M_NOT_FOUND",
		`{"errcode":"ORG.MATRIX.MSC4140_DELAY_TOO_LARGE"}`: "ORG.MATRIX.MSC4140_DELAY_TOO_LARGE",
		`{"errcode":"M_"}`:                                 "",
		`{"errcode":"NOT_FOUND"}`:                          "",
		`{"errcode":"M_<script>"}`:                         "",
		`{"errcode":"org.matrix_x"}`:                       "",
		`<html>`:                                           "",
	} {
		t.Run(body, func(t *testing.T) {
			if got := (Reply{Status: 400, Body: []byte(body)}).ErrCode(); got != want {
				t.Errorf("%s: got %q, want %q", body, got, want)
			}
		})
	}
}
