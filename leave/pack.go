package leave

import (
	"encoding/binary"
	"reflect"
	"time"

	"matrixrtc-auth/matrix"
)

// Packed is a job without its key and user in as few bytes as it takes, for a
// store in the memory of this process. Times are to the millisecond.
type Packed string

// Pack returns j packed.
func (j Job) Pack() Packed {
	b := make([]byte, 0, 256)
	for _, f := range fields {
		b = f.pack(b, f.in(&j))
	}
	return Packed(b)
}

// isApart reports whether a packed job is without the field.
func (f field) isApart() bool {
	return len(f.index) > 1 && f.index[0] == 0 || f.kind == reflect.TypeFor[matrix.UserID]()
}

func (f field) pack(b []byte, v reflect.Value) []byte {
	if f.isApart() {
		return b
	}
	switch v := v.Addr().Interface().(type) {
	case *time.Time:
		if v.IsZero() {
			return binary.AppendVarint(b, 0)
		}
		return binary.AppendVarint(b, v.UnixMilli())
	case *matrix.DelayID:
		return packText(b, v.String())
	case *[]matrix.DelayID:
		b = binary.AppendUvarint(b, uint64(len(*v)))
		for _, id := range *v {
			b = packText(b, id.String())
		}
		return b
	}
	return packPlain(b, v)
}

func packPlain(b []byte, v reflect.Value) []byte {
	switch {
	case v.Kind() == reflect.String:
		return packText(b, v.String())
	case v.CanUint():
		return binary.AppendUvarint(b, v.Uint())
	case v.Kind() == reflect.Bool && v.Bool():
		return append(b, 1)
	case v.Kind() == reflect.Bool:
		return append(b, 0)
	}
	return binary.AppendVarint(b, v.Int())
}

func packText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// Job returns the job of key and user that was packed.
func (p Packed) Job(key Key, user matrix.UserID) Job {
	j := Job{Key: key, User: user}
	rest := packed(p)
	for _, f := range fields {
		if !f.isApart() {
			rest.unpack(f.in(&j))
		}
	}
	return j
}

// packed is what is left of a packed job.
type packed string

func (p *packed) unpack(v reflect.Value) {
	switch to := v.Addr().Interface().(type) {
	case *time.Time:
		if ms := p.int(); ms != 0 {
			*to = time.UnixMilli(ms)
		}
	case *matrix.DelayID:
		*to = p.delayID()
	case *[]matrix.DelayID:
		for range p.uint() {
			*to = append(*to, p.delayID())
		}
	default:
		p.unpackPlain(v)
	}
}

func (p *packed) unpackPlain(v reflect.Value) {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(p.text())
	case v.CanUint():
		v.SetUint(p.uint())
	case v.Kind() == reflect.Bool:
		v.SetBool(p.uint() == 1)
	default:
		v.SetInt(p.int())
	}
}

func (p *packed) uint() uint64 {
	n, length := uint64(0), 0
	for shift := 0; ; shift += 7 {
		c := (*p)[length]
		length++
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			break
		}
	}
	*p = (*p)[length:]
	return n
}

func (p *packed) int() int64 {
	n := p.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (p *packed) text() string {
	length := p.uint()
	text := string((*p)[:length])
	*p = (*p)[length:]
	return text
}

// delayID returns one that was parsed before it was packed; none has no text.
func (p *packed) delayID() matrix.DelayID {
	id, _ := matrix.ParseDelayID(p.text())
	return id
}
