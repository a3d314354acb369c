package leave

import (
	"encoding/binary"
	"reflect"
	"slices"
	"time"

	"matrixrtc-auth/matrix"
)

// Packed is a job in as few bytes as possible, without the job's key and user. Its
// times are in milliseconds. A store in memory uses this form.
type Packed string

// Pack returns j in packed form. The second result is j as [Packed.Job] will return it,
// with times cut to milliseconds.
func (j Job) Pack() (Packed, Job) {
	b := make([]byte, 0, 256)
	v := reflect.ValueOf(&j).Elem()
	for _, f := range packedFields {
		b = f.pack(b, v.FieldByIndex(f.index))
	}
	return Packed(b), j
}

// packedFields are the fields that a packed job contains: all except the key and the
// user.
var packedFields = slices.DeleteFunc(slices.Clone(fields), func(f field) bool {
	return len(f.index) > 1 && f.index[0] == 0 || f.kind == reflect.TypeFor[matrix.UserID]()
})

// isPlain reports whether a field is a text, a number or a bool.
func isPlain(kind reflect.Type) bool {
	return kind.Kind() != reflect.Struct && kind.Kind() != reflect.Slice
}

// pack appends v, the value of the field, to b. Then it sets v to the value that unpack
// will read from these bytes.
func (f field) pack(b []byte, v reflect.Value) []byte {
	if f.plain {
		return packPlain(b, v)
	}
	switch v := v.Addr().Interface().(type) {
	case *time.Time:
		ms := int64(0)
		if !v.IsZero() {
			ms = v.UnixMilli()
		}
		*v = unpackTime(ms)
		return binary.AppendVarint(b, ms)
	case *matrix.DelayID:
		return packText(b, v.String())
	case *[]matrix.DelayID:
		b = binary.AppendUvarint(b, uint64(len(*v)))
		for _, id := range *v {
			b = packText(b, id.String())
		}
		return b
	}
	// This cannot happen, because TestEveryFieldIsKept packs every type.
	panic("leave: no way to pack a field of type " + f.kind.String())
}

func unpackTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
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

// Job returns the job in p. key and user are the job's key and user, which p does not
// contain.
func (p Packed) Job(key Key, user matrix.UserID) Job {
	j := Job{Key: key, User: user}
	rest := packed(p)
	v := reflect.ValueOf(&j).Elem()
	for _, f := range packedFields {
		rest.unpack(f, v.FieldByIndex(f.index))
	}
	return j
}

// packed is the part of a packed job that has not been read yet.
type packed string

func (p *packed) unpack(f field, v reflect.Value) {
	if f.plain {
		p.unpackPlain(v)
		return
	}
	switch to := v.Addr().Interface().(type) {
	case *time.Time:
		*to = unpackTime(p.int())
	case *matrix.DelayID:
		*to = p.delayID()
	case *[]matrix.DelayID:
		for range p.uint() {
			*to = append(*to, p.delayID())
		}
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

// delayID reads a delay id. The id was valid when it was packed. The text "" stands for
// no id.
func (p *packed) delayID() matrix.DelayID {
	id, _ := matrix.ParseDelayID(p.text())
	return id
}
