package appservice

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// loopAnswer is an answer in the self-test. In the self-test this service sends
// a request to the homeserver, which forwards the request back to this service,
// perhaps to another replica. Every replica gives the same answer.
type loopAnswer struct {
	// UserID is the user for whom the homeserver made the request.
	UserID string `json:"user_id"`
	// Proof is derived from the nonce and the hs_token, so only this service and the
	// homeserver can make it.
	Proof string `json:"proof"`
}

// AnswerLoop returns the JSON answer to a self-test request with this nonce.
// The homeserver forwarded the request for user.
func AnswerLoop(hsToken secret.Text, nonce string, user matrix.UserID) []byte {
	answer, err := json.Marshal(loopAnswer{UserID: user.String(), Proof: loopProof(hsToken, nonce)})
	if err != nil {
		panic(err) // cannot fail: the value holds only two texts
	}
	return answer
}

func loopProof(hsToken secret.Text, nonce string) string {
	mac := hmac.New(sha256.New, []byte(hsToken.Reveal()))
	mac.Write([]byte("matrixrtc-auth self-test " + nonce))
	return hex.EncodeToString(mac.Sum(nil))
}
