package filestore

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/internal/logtest"
	"matrixrtc-auth/leave/memstore"
)

// example returns the content of a leave file. The store has written two jobs into a
// new file, and then three more lines. The second result holds the store's jobs as they
// were after each line. Its keys are the offsets at which these lines end.
func example(t *testing.T) (file []byte, after map[int][]string) {
	t.Helper()
	p := newPlace(t)
	s := p.open(t, osDisk{}, spare)
	put(t, s, 1)
	put(t, s, 2)
	s.Close()
	p.write(t, append(p.read(t), "torn"...)) // because of this text, the next Open begins a new file
	s = p.open(t, osDisk{}, spare)
	after = map[int][]string{len(p.read(t)): jobs(t, s.memory)}
	for _, write := range []func(){
		func() { put(t, s, 3) },
		func() { change(t, s, 2, false) },
		func() { change(t, s, 1, true) },
	} {
		write()
		after[len(p.read(t))] = jobs(t, s.memory)
	}
	return p.read(t), after
}

// TestCutAnywhere cuts a file off at each possible place, and reads it.
func TestCutAnywhere(t *testing.T) {
	file, after := example(t)
	complete := bytes.Index(file, []byte(`{"complete":true}`)) + len(`{"complete":true}`) + 1
	for n := range len(file) + 1 {
		m := memstore.New()
		found := read(bytes.NewReader(file[:n]), m)
		if n < complete {
			if found.damage == nil {
				t.Errorf("cut at %d, before \"complete\": got no damage, want some", n)
			}
			continue
		}
		whole := 0
		for end := range after {
			if end <= n {
				whole = max(whole, end)
			}
		}
		if found.damage != nil || found.size != int64(whole) || found.cut != int64(n-whole) {
			t.Errorf("cut at %d: got %+v, want no damage and %d reliable bytes", n, found, whole)
		}
		if got := jobs(t, m); !slices.Equal(got, after[whole]) {
			t.Errorf("cut at %d: got the jobs %q, want %q", n, got, after[whole])
		}
	}
}

// TestFlippedAnywhere changes each byte of a file. If the byte is before the last line,
// the file must count as damaged. If it is in the last line, the store must use the
// file up to that line. For the line end before the last line, both results are right,
// because a change of this line end joins the last two lines.
func TestFlippedAnywhere(t *testing.T) {
	file, after := example(t)
	tail := 0 // where the last line begins
	for n := range after {
		if n < len(file) {
			tail = max(tail, n)
		}
	}
	for n := range file {
		b := slices.Clone(file)
		b[n] ^= 1 << rand.IntN(8)
		m := memstore.New()
		switch found := read(bytes.NewReader(b), m); {
		case n < tail-1 && found.damage == nil:
			t.Errorf("byte %d changed: got no damage, want some", n)
		case n >= tail && (found.damage != nil || found.size != int64(tail)):
			t.Errorf("byte %d of the last line changed: got %+v, want no damage, and the file up to that line", n, found)
		}
	}
}

// TestTornTail has a file with further bytes after the last valid line. The store must
// remove these bytes from the file.
func TestTornTail(t *testing.T) {
	file, after := example(t)
	for _, tail := range []string{"0", "00000000 {}\n", strings.Repeat("\x00", 5000), "\n\n", string(file[:30])} {
		t.Run(fmt.Sprintf("%.20q", tail), func(t *testing.T) {
			p := newPlace(t)
			p.write(t, append(slices.Clone(file), tail...))
			s := p.open(t, osDisk{}, spare)
			wantJobs(t, s, after[len(file)])
			put(t, s, 9)
			want := jobs(t, s.memory)
			s.Close()
			wantJobs(t, p.open(t, osDisk{}, spare), want)
			if len(p.aside(t)) > 0 {
				t.Errorf("tail %q: got %q kept aside, want none", tail, p.aside(t))
			}
		})
	}
}

// TestDamaged has a damaged file. The store must keep it under another name, and go on
// with the jobs that it could read.
func TestDamaged(t *testing.T) {
	file, _ := example(t)
	lines := bytes.SplitAfter(file, []byte("\n"))
	ends := func(i int) int { return len(bytes.Join(lines[:i+1], nil)) }
	files := map[string]struct {
		file []byte
		jobs []int
	}{
		"empty":               {nil, nil},
		"of another program":  {[]byte("SQLite format 3\x00\n\nhello"), nil},
		"of a later version":  {line(t, 0, header{Format: "matrixrtc-auth leaves 9"}), nil},
		"zeros":               {make([]byte, 100_000), nil},
		"one long line":       {bytes.Repeat([]byte("x"), maxLine+100), nil},
		"begin is missing":    {file[len(lines[0]):], nil},
		"end is missing":      {file[:ends(1)], []int{1, 2}},
		"a line is damaged":   {damaged(file, ends(2)+3), []int{2}},
		"a page is missing":   {slices.Concat(file[:ends(0)], make([]byte, 4096), file[ends(0):]), []int{2, 3}},
		"a long line between": {slices.Concat(file[:ends(2)], bytes.Repeat([]byte("x"), maxLine+100), []byte("\n"), file[ends(2):]), []int{2, 3}},
		"no job in a line":    {slices.Concat(file, line(t, salt(t, file), map[string]any{"jobs": []any{map[string]any{"room": "x"}}})), []int{2, 3}},
	}
	for name, c := range files {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.write(t, c.file)
			s := p.open(t, osDisk{}, spare)
			wantIDs(t, s, c.jobs...)
			aside := p.aside(t)
			if len(aside) != 1 || !p.log.Has("level=ERROR") || !p.log.Has(aside[0]) {
				t.Fatalf("kept files %q, and the log %q, want one kept file, and an error in the log that names it", aside, p.log.String())
			}
			if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, c.file) {
				t.Errorf("kept: got %d bytes, %v, want the %d that were found", len(kept), err, len(c.file))
			}
			put(t, s, 9)
			s.Close()
			wantIDs(t, p.open(t, osDisk{}, spare), append(c.jobs, 9)...)
			if got := len(p.aside(t)); got != 1 {
				t.Errorf("%d files are kept, want 1", got)
			}
		})
	}
}

// TestLongLine has a line that is too long. lineReader must keep only the beginning of
// it.
func TestLongLine(t *testing.T) {
	const piece = 64 << 10
	long := io.LimitReader(endless{}, 4*maxLine)
	lines := lineReader{r: bufio.NewReaderSize(io.MultiReader(long, strings.NewReader("\nnext\n")), piece)}
	if line, err := lines.next(); err != nil || len(line) > maxLine+piece {
		t.Errorf("a long line: got %d bytes, %v, want at most %d", len(line), err, maxLine+piece)
	}
	if line, err := lines.next(); string(line) != "next\n" || err != nil || lines.offset != 4*maxLine+6 {
		t.Errorf("then: got %.10q up to %d, %v, want \"next\\n\" up to %d", line, lines.offset, err, 4*maxLine+6)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func damaged(file []byte, n int) []byte {
	b := slices.Clone(file)
	b[n] ^= 0x10
	return b
}

func salt(tb testing.TB, file []byte) uint32 {
	tb.Helper()
	first, _, _ := bytes.Cut(file, []byte("\n"))
	var h header
	if err := unseal(0, append(slices.Clone(first), '\n'), &h); err != nil {
		tb.Fatal(err)
	}
	return h.Salt
}

func line(tb testing.TB, salt uint32, v any) []byte {
	tb.Helper()
	b, err := seal(salt, v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// badLine returns a line with the records of three jobs. The second record is not a
// valid job.
func badLine(t *testing.T, salt uint32) []byte {
	t.Helper()
	list := make([]map[string]any, 3)
	for i := range list {
		b, err := json.Marshal(job(t, 11+i))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &list[i]); err != nil {
			t.Fatal(err)
		}
	}
	list[1]["looks"] = -2
	return line(t, salt, map[string]any{"jobs": list, "ended": []ended{ended(job(t, 2).Key)}})
}

// TestBadRecord has a line with one invalid record among others. The store must leave
// out this record, name it in the log once, and keep the other jobs of the line. The
// next start must find nothing wrong.
func TestBadRecord(t *testing.T) {
	file, _ := example(t)
	p := newPlace(t)
	p.write(t, slices.Concat(file, badLine(t, salt(t, file))))
	s := p.open(t, osDisk{}, spare)
	wantIDs(t, s, 3, 11, 13)
	for _, want := range []string{`identity12`, `looks cannot have the value -2`, fmt.Sprint("line=", bytes.Count(file, []byte("\n"))+1), fmt.Sprint("offset=", len(file))} {
		if !p.log.Has(want) {
			t.Errorf("log: want %q in it, got\n%s", want, p.log.String())
		}
	}
	if got := len(p.aside(t)); got != 1 {
		t.Errorf("%d files are kept, want 1", got)
	}
	if got := s.Status().SetAside; got != 1 {
		t.Errorf("Status.SetAside: got %d records, want 1", got)
	}
	s.Close()
	p.log = &logtest.Log{}
	wantIDs(t, p.open(t, osDisk{}, spare), 3, 11, 13)
	if p.log.Has("") {
		t.Errorf("the next start: got the log %s, want none", p.log.String())
	}
}

// TestManyBadRecords has a file with many invalid records. The log must name only the
// first mostNamed of them.
func TestManyBadRecords(t *testing.T) {
	file, _ := example(t)
	p := newPlace(t)
	for range 1000 {
		file = append(file, badLine(t, salt(t, file))...)
	}
	p.write(t, file)
	s := p.open(t, osDisk{}, spare)
	wantIDs(t, s, 3, 11, 13)
	if got := s.Status().SetAside; got != 1000 {
		t.Errorf("Status.SetAside: got %d records, want 1000", got)
	}
	if got := p.log.Count(""); got > mostNamed+1 {
		t.Errorf("log: got %d lines, want at most %d", got, mostNamed+1)
	}
}
