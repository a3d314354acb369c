package sfu_test

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"matrixrtc-auth/sfu"
	"matrixrtc-auth/sfu/sfutest"
)

// FuzzWebhookBody checks that Receive accepts or rejects each signed body, and
// never panics.
func FuzzWebhookBody(f *testing.F) {
	for _, body := range []string{
		"", "{}", "null", `{"event":"participant_left","room":{"name":"r"},"participant":{"identity":"i","sid":"s","disconnectReason":1}}`,
		`{"event":"participant_joined","participant":null}`, `{"event":1}`, `{"createdAt":"9223372036854775807"}`,
		`{"event":"egress_started","egressInfo":{"egressId":"EG_1"}}`, "{\"event\":\"\\u0000\\ud800\"}", `{"room":{"room":{}}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		e, err := webhooks.Receive(webhook(sfutest.Body(body)))
		if err != nil {
			wantRejected(t, err, sfu.RejectedNotJSON, "")
			return
		}
		if e.Kind != sfu.KindOther && (e.Room == "" || e.Identity == "") {
			t.Errorf("Receive(%q) = %+v, want a room and an identity", body, e)
		}
		if len(e.Name) > 400 || len(e.ID) > 400 || strings.ContainsAny(e.Name+e.ID, "\n\x00") {
			t.Errorf("Receive(%q) = %+v, want a name and an id of at most 400 bytes that fit into a log", body, e)
		}
	})
}

// FuzzWebhookHeader checks that Receive reads the body only after a header with
// a valid signature.
func FuzzWebhookHeader(f *testing.F) {
	forged := webhook(sfutest.WrongSecret()).Header.Get("Authorization")
	parts := strings.Split(forged, ".")
	for _, header := range []string{
		"", forged, "Bearer " + forged, "..", parts[0] + ".." + parts[2], forged[:len(forged)-1], forged + "=", forged + ".", "Basic Og==",
		base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"devkey","exp":1e300,"sha256":"="}`)) + "." + parts[2],
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		req := webhook()
		req.Header["Authorization"] = []string{header}
		req.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
			t.Errorf("Receive with the header %q: got the body read, want it left alone", header)
			return 0, io.EOF
		}))
		_, err := webhooks.Receive(req)
		rejected, ok := errors.AsType[*sfu.RejectedError](err)
		if !ok || len(rejected.Error()) > 1000 {
			t.Errorf("Receive with the header %q: got %v, want a rejection of at most 1000 bytes", header, err)
		}
		if err := sfu.VerifyStatusToken(webhooks.Keys, header); err == nil {
			t.Errorf("status with the token %q: got no error, want one", header)
		}
	})
}
