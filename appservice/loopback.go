package appservice

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/matrix"
)

// loopAnswer is the service's answer to its own request that the homeserver
// forwarded back to it. Every replica answers the same.
type loopAnswer struct {
	// UserID is the user for whom the homeserver made the request.
	UserID string `json:"user_id"`
	// Proof is derived from the nonce and the hs_token, so only this service and the
	// homeserver can make it.
	Proof string `json:"proof"`
}

// AnswerLoop returns the answer to the self-test nonce.
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
