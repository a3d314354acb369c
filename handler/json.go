package handler

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// value is the text of one valid JSON value, without white space around it.
//
// The handler reads only the fields that it needs from this text. It allocates
// no memory for other fields, so a client cannot harm it with very many fields.
type value []byte

// parseJSON checks that body is exactly one JSON value. Otherwise the error is
// errNotJSON, and the client gets 400 M_NOT_JSON.
func parseJSON(body []byte) (value, error) {
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, errNotJSON
	}
	return bytes.TrimSpace(body), nil
}

func (v value) isObject() bool { return v[0] == '{' }
func (v value) isString() bool { return v[0] == '"' }
func (v value) isNumber() bool { return v[0] == '-' || '0' <= v[0] && v[0] <= '9' }
func (v value) isNull() bool   { return v[0] == 'n' }

// text returns the string that the JSON string v stands for.
func (v value) text() string {
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		panic(err) // impossible: v is valid JSON
	}
	return s
}

// cutMember cuts the first field off an object. rest is the text of the object
// after the opening brace, or after the previous field. cutMember also returns
// the text that follows the field. ok is false at the end of the object.
func cutMember(rest []byte) (name, v value, after []byte, ok bool) {
	rest = skipSpace(rest)
	if rest[0] == ',' {
		rest = skipSpace(rest[1:])
	}
	if rest[0] == '}' {
		return nil, nil, nil, false
	}
	name, rest = cutValue(rest)
	v, rest = cutValue(skipSpace(rest[1:])) // rest[0] is the colon
	return name, v, rest, true
}

// longestEscape is the most bytes that JSON can use for one byte of text, as in
// \u0061.
const longestEscape = 6

// isText reports whether the JSON string v stands for exactly text. Upper and
// lower case differ, unlike in encoding/json. isText allocates no memory, even
// for the long strings that strangers may send.
func (v value) isText(text string) bool {
	inner := v[1 : len(v)-1]
	switch {
	case len(inner) < len(text) || len(inner) > longestEscape*len(text):
		return false
	case bytes.IndexByte(inner, '\\') < 0:
		return string(inner) == text
	}
	for len(inner) > 0 && text != "" {
		char, size := cutChar(inner)
		if !strings.HasPrefix(text, string(char)) {
			return false
		}
		inner, text = inner[size:], text[utf8.RuneLen(char):]
	}
	return len(inner) == 0 && text == ""
}

// cutChar reads the first character in inner, which is a valid JSON string
// without its quotation marks. size is how many bytes of inner the character
// takes. Half of a surrogate pair becomes U+FFFD, as in encoding/json.
func cutChar(inner []byte) (char rune, size int) {
	if inner[0] != '\\' {
		return utf8.DecodeRune(inner)
	}
	if inner[1] != 'u' {
		return simpleEscape(inner[1]), 2
	}
	char = hexRune(inner[2:6])
	if !utf16.IsSurrogate(char) {
		return char, 6
	}
	if len(inner) >= 12 && inner[6] == '\\' && inner[7] == 'u' {
		if pair := utf16.DecodeRune(char, hexRune(inner[8:12])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// simpleEscape returns the character that a backslash and letter stand for.
func simpleEscape(letter byte) rune {
	if i := strings.IndexByte("bfnrt", letter); i >= 0 {
		return rune("\b\f\n\r\t"[i])
	}
	return rune(letter) // letter is a quotation mark, a backslash or a slash
}

// hexRune returns the character whose number is written in the hexadecimal
// digits.
func hexRune(digits []byte) (char rune) {
	for _, digit := range digits {
		char <<= 4
		switch {
		case digit <= '9':
			char |= rune(digit - '0')
		default:
			char |= rune(digit|0x20-'a') + 10
		}
	}
	return char
}

// cutValue splits b after the valid JSON value with which b begins. It removes
// the white space after the value.
func cutValue(b []byte) (value, []byte) {
	n := end(b)
	return b[:n], skipSpace(b[n:])
}

func skipSpace(b []byte) []byte {
	for i, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return b[i:]
		}
	}
	return nil
}

// end returns the length of the valid JSON value with which b begins.
func end(b []byte) int {
	switch b[0] {
	case '"':
		return stringEnd(b)
	case '{', '[':
		return bracketEnd(b)
	}
	if i := bytes.IndexAny(b, ",]} \t\r\n"); i >= 0 {
		return i
	}
	return len(b)
}

func stringEnd(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
}

func bracketEnd(b []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
}
