package keeper_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/leave/leavetest"
	"matrixrtc-auth/leave/memstore"
	"matrixrtc-auth/sfu"
)

// FuzzRecord makes a keeper work on a random record of a valid job.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(leavetest.Record(f, nil)))
	for _, changed := range leavetest.BadFields {
		f.Add([]byte(leavetest.Record(f, changed)))
	}
	for _, state := range leave.States() {
		f.Add([]byte(leavetest.Record(f, leavetest.Fields{"state": state, "restarts": 1 << 30, "looks": 1 << 30, "sends": 1 << 30, "cancels": 1 << 30})))
		f.Add([]byte(leavetest.Record(f, leavetest.Fields{"state": state, "delay": 500, "restarted": 1, "since": 1, "deadline": 1, "next_look": 1, "next_restart": 1})))
		f.Add([]byte(leavetest.Record(f, leavetest.Fields{"state": state, "delay": 86_400_000, "restarted": 1<<53 - 1, "since": 1<<53 - 1, "deadline": 1<<53 - 1})))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var job leave.Job
		if json.Unmarshal(text, &job) != nil {
			return
		}
		wantSameAgain(t, job)
		synctest.Test(t, func(t *testing.T) { workOn(t, job) })
	})
}

func wantSameAgain(t *testing.T, job leave.Job) {
	t.Helper()
	b, err := json.Marshal(job)
	if err != nil {
		t.Fatalf("writing a job that was read: got %v, want no error", err)
	}
	var again leave.Job
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatalf("reading a job that was written: got %v, want no error", err)
	}
	if b2, err := json.Marshal(again); err != nil || string(b2) != string(b) {
		t.Errorf("writing the record %s again: got %s, %v, want the same record", b, b2, err)
	}
}

// workOn runs a keeper with one job in its store. Meanwhile the SFU reports that the
// participant joins, leaves and aborts. The keeper must not panic.
func workOn(t *testing.T, job leave.Job) {
	w := newWorld(t)
	log := w.logs(slog.LevelError)
	if err := w.store.(*memstore.Store).Merge(t.Context(), []leave.Job{job}); err != nil {
		t.Fatal(err)
	}
	w.set(func() { w.present.add(job.Key, "S1") })
	for _, kind := range []sfu.Kind{sfu.KindJoined, sfu.KindLeft, sfu.KindAborted} {
		time.Sleep(10 * time.Second)
		if err := w.current().Report(t.Context(), sfu.Event{Kind: kind, Room: job.Room, Identity: job.Identity, Session: "S1"}); err != nil {
			t.Errorf("Report: got %v, want no error", err)
		}
	}
	time.Sleep(10 * time.Second)
	w.stop()
	<-w.ended
	if strings.Contains(log.String(), "panic") {
		t.Errorf("the log: got %s, want no panic in it", log.String())
	}
}
