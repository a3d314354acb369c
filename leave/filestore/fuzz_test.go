package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"matrixrtc-auth/leave"
)

// FuzzOpen opens a store on a file with random content. The store must use the file, or
// keep it under another name. In both cases it must then work. If sealed is true, each
// line of the file has a right checksum.
func FuzzOpen(f *testing.F) {
	head := line(f, 0, header{Format: format, Salt: 7})
	one := line(f, 7, record{Jobs: []leave.Job{job(f, 1)}})
	file := slices.Concat(head, one, line(f, 7, record{Complete: true}), line(f, 7, record{Ended: []ended{ended(job(f, 1).Key)}}))
	f.Add(file, false)
	f.Add(file[:len(file)-9], false)
	f.Add(append(file, file...), false)
	f.Add(one[9:], true)
	f.Add([]byte(`{"jobs":[{"user":"@a:b","delay_id":"x","delay":-9223372036854775808,"next_look":-1,"version":18446744073709551615}],"complete":true}`+"\n"+`{"ended":[{}]}`), true)
	f.Add([]byte("null\n[]\n{\"jobs\":null}"), true)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if sealed {
			b = sealAll(head, b)
		}
		synctest.Test(t, func(t *testing.T) { openAny(t, b) }) // in a bubble of synctest, no real time passes
	})
}

func openAny(t *testing.T, b []byte) {
	p := newPlace(t)
	p.write(t, b)
	s := p.open(t, fast, spare)
	if len(p.aside(t)) > 0 != p.log.Has("level=ERROR") {
		t.Errorf("kept files %q, and the log %q, want an error in the log if and only if a file is kept", p.aside(t), p.log.String())
	}
	if _, err := s.Claim(t.Context(), "holder", p.machine.Wall(), 1000); err != nil {
		t.Errorf("Claim: got %v, want no error", err)
	}
	later := job(t, 1)
	later.AcceptedAt = p.machine.Wall()
	if _, err := s.Put(context.Background(), later); err != nil && !errors.Is(err, leave.ErrSuperseded) {
		t.Errorf("Put: got %v, want no error", err)
	}
	want := jobs(t, s.memory)
	s.Close()
	wantJobs(t, p.open(t, fast, spare), want)
}

func sealAll(head, lines []byte) []byte {
	b := slices.Clone(head)
	for text := range bytes.SplitSeq(lines, []byte("\n")) {
		b = fmt.Appendf(b, "%s %s\n", checksum(7, text), text)
	}
	return b
}
