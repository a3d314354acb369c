package token

const hexDigits = "0123456789abcdef"

// appendCanonical appends the Matrix canonical JSON of an array of strings:
// UTF-8, no white space, and only the escapes that JSON demands, in their
// shortest form (Matrix appendices, "Canonical JSON"). encoding/json does not
// write this form: it also escapes '&', '<', '>', U+2028 and U+2029. parts must
// be valid UTF-8, like all identifiers of package matrix.
func appendCanonical(dst []byte, parts []string) []byte {
	dst = append(dst, '[')
	for i, part := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		for j := range len(part) {
			dst = appendCanonicalByte(dst, part[j])
		}
		dst = append(dst, '"')
	}
	return append(dst, ']')
}

func appendCanonicalByte(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c >= ' ':
		return append(dst, c)
	case c == '\b':
		return append(dst, `\b`...)
	case c == '\t':
		return append(dst, `\t`...)
	case c == '\n':
		return append(dst, `\n`...)
	case c == '\f':
		return append(dst, `\f`...)
	case c == '\r':
		return append(dst, `\r`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
