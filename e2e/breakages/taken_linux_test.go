package breakages

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"matrixrtc-auth/e2e/account"
	"matrixrtc-auth/e2e/caller"
	"matrixrtc-auth/e2e/participant"
	"matrixrtc-auth/e2e/stack"
)

// TestTakenOver moves a deployment of the guide that is read most, with its
// mistakes, in one run of setup. Doctor finds nothing wrong with the new one, from
// inside and outside, and it carries a call. The one option is what taking-over.md
// says of the media ports.
func TestTakenOver(t *testing.T) {
	if *shard != 0 {
		return // another process has it
	}
	own := filepath.Join(*dir, "taken")
	old := filepath.Join(own, "old")
	if err := stack.Unpack("../../setup/testdata/from/guide.txtar", old); err != nil {
		t.Fatal(err)
	}
	d, err := writtenWith(t.Context(), own, "--from", old, "--udp-range", "20000-20200")
	if err != nil {
		t.Fatal(err)
	}
	if want := "not-so-secret-0123456789-abcdefghijklmn"; d.service["LIVEKIT_SECRET"] != want {
		t.Errorf("the secret is %q, want %q", d.service["LIVEKIT_SECRET"], want)
	}
	w := worldIn(t, own)
	ctx, cancel := context.WithTimeout(t.Context(), starting)
	defer cancel()
	if err := w.become(ctx, d); err != nil {
		t.Fatalf("%v\n%s", err, w.logs())
	}
	w.judge(ctx, t, d, breakage{what: "a deployment of a guide, taken over"})
	if err := os.Setenv("SSL_CERT_FILE", filepath.Join(own, "root.pem")); err != nil { // of this process, which is this test's
		t.Fatal(err)
	}
	a, b := call(ctx, t, "anna"), call(ctx, t, "ben")
	sid, err := a.PublishAudio()
	if err != nil {
		t.Fatal(err)
	}
	hears, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	track, err := b.Hear(hears)
	if want := (participant.Track{From: a.Identity(), SID: sid}); err != nil || track != want {
		t.Errorf("heard %v, %v, want %v", track, err, want)
	}
}

// call has a new user join a call by the public names.
func call(ctx context.Context, t *testing.T, name string) *participant.Participant {
	t.Helper()
	user, err := account.Register(ctx, synapseURL, name)
	if err != nil {
		t.Fatal(err)
	}
	token, err := user.OpenIDToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := caller.Post(ctx, "https://jwt."+domain+"/sfu/get", caller.Legacy{Room: "!call:" + domain, OpenIDToken: token, DeviceID: "DEVICE"})
	if err != nil || answer.Status != 200 {
		t.Fatalf("%s gets %d %s, %v", name, answer.Status, answer.Body, err)
	}
	p, err := participant.Join(ctx, answer.URL, answer.JWT)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Leave)
	return p
}
