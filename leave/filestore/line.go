package filestore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"matrixrtc-auth/leave"
	"matrixrtc-auth/sfu"
)

const (
	format = "matrixrtc-auth leaves 1"
	// maxJobs is how many jobs one line may hold.
	maxJobs = 256
	// maxLine is how many bytes of a line are read at most. The largest possible job
	// takes less than 20 KiB, even if every character of its ids is escaped. So a line
	// of 256 jobs (maxJobs) takes less than 256 × 20 KiB = 5 MiB.
	maxLine = 16 << 20
)

// header is the content of the first line of a file. The checksum of this line uses no
// salt.
type header struct {
	Format string `json:"format"`
	Salt   uint32 `json:"salt"`
}

// record is the content of each line after the first one. The journal writes lines from
// this type. Lines are read into the type found.
type record struct {
	Jobs     []leave.Job `json:"jobs,omitempty"`
	Ended    []ended     `json:"ended,omitempty"`
	Complete bool        `json:"complete,omitempty"`
}

// found is a record as it is read from the file. Its jobs are parsed one by one, so
// that an invalid job does not make the other jobs of the line invalid.
type found struct {
	Jobs     []json.RawMessage `json:"jobs"`
	Ended    []ended           `json:"ended"`
	Complete bool              `json:"complete"`
}

// ended is the key of a job that has ended.
type ended struct {
	Room     sfu.Room     `json:"room"`
	Identity sfu.Identity `json:"identity"`
}

var errDamaged = errors.New("the line's checksum is wrong")

// seal returns v as a line: a checksum, v as JSON, and a line end.
func seal(salt uint32, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s %s\n", checksum(salt, text), text), nil
}

// unseal reads a line into v. It returns errDamaged if the checksum is wrong. If the
// checksum is right, but the text does not fit the type of v, it returns another error.
func unseal(salt uint32, line []byte, v any) error {
	sum, text, found := bytes.Cut(line, []byte(" "))
	text, ended := bytes.CutSuffix(text, []byte("\n"))
	if !found || !ended || string(sum) != checksum(salt, text) {
		return errDamaged
	}
	return json.Unmarshal(text, v)
}

func checksum(salt uint32, text []byte) string {
	return fmt.Sprintf("%08x", crc32.Update(salt, crc32.MakeTable(crc32.Castagnoli), text))
}
