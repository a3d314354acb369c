package setup

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/setup/existing"
	"matrixrtc-auth/sfu"
)

// pair is an API key with its secret, which LiveKit and the service share.
type pair struct {
	id     string
	secret secret.Text
}

// presetKey is the API key's name in the templates.
const presetKey = "matrixrtc"

// secretBytes is how many random bytes a new secret has.
const secretBytes = 32

// choosePair returns the pair in the folder's .env. If renew is true, the pair
// gets a new secret. If .env has no secret, the result depends on earlier
// runs:
//
//   - If setup never wrote a .env here, choosePair returns the argument taken,
//     the pair of an old deployment. If there is none, it returns a new pair.
//   - If setup wrote a .env here, the secret is lost. That is an error, unless
//     renew is true.
func choosePair(dir *folder, renew bool, taken pair) (pair, error) {
	p := pair{id: presetKey, secret: newSecret()}
	content, found, err := dir.read(envFile)
	if err != nil {
		return p, err
	}
	wrote, err := readSums(dir)
	if err != nil {
		return p, err
	}
	_, answered, err := dir.read(answersFile)
	if err != nil {
		return p, err
	}
	// had says whether an earlier run wrote a .env here. If that run left no checksums
	// of its files, its saved answers show that.
	had := wrote.hadEnv() || len(wrote) == 0 && answered
	values, err := parseEnv(string(content))
	if err != nil {
		return p, err
	}
	if id := values["LIVEKIT_KEY"]; id != "" {
		p.id = id
	}
	if !existing.IsKeyName(p.id) {
		return p, fmt.Errorf(".env: LIVEKIT_KEY has characters beyond letters, digits, '_' and '-', or more than 64 characters: correct it")
	}
	old := values["LIVEKIT_SECRET"]
	switch {
	case !renew && old == "" && !had && taken.id != "":
		return taken, nil
	case renew || old == "" && !had:
		return p, nil
	case !found:
		return p, fmt.Errorf("%s is gone, and it had the secret: put the file back, or make a new secret with --new-secrets", envFile)
	case old == "":
		return p, fmt.Errorf("%s: LIVEKIT_SECRET is gone: put it back, or make a new secret with --new-secrets", envFile)
	case cutOff(string(content), "LIVEKIT_SECRET"):
		return p, fmt.Errorf("%s ends without a line break after LIVEKIT_SECRET, so the secret may be cut off: restore the file, or add the line break if the secret is complete, or make a new secret with --new-secrets", envFile)
	}
	p.secret = secret.New(old)
	if taken.id != "" && (taken.id != p.id || !taken.secret.Equal(p.secret)) {
		return p, fmt.Errorf("%s has another API key or secret than the files of --from: give a new folder as --dir, or leave --from out", envFile)
	}
	if !existing.IsSecret(old) {
		return p, fmt.Errorf(".env: LIVEKIT_SECRET is shorter than %d characters, or has characters that YAML or Compose changes: make a new secret with --new-secrets", sfu.ShortestSecret)
	}
	return p, nil
}

// cutOff reports whether the last line of a .env sets name and has no line
// break. The end of the value may then be missing.
func cutOff(content, name string) bool {
	last := content[strings.LastIndex(content, "\n")+1:]
	return envGrammar.nameIn(last) == name
}

// newSecret returns a random secret of [secretBytes] bytes in hexadecimal
// digits.
func newSecret() secret.Text {
	var b [secretBytes]byte
	rand.Read(b[:]) // Read never fails
	return secret.New(hex.EncodeToString(b[:]))
}

// parseEnv parses the lines NAME=value of a .env as Compose does. Its errors
// contain no value.
func parseEnv(text string) (map[string]string, error) {
	values := map[string]string{}
	text = strings.TrimPrefix(text, "\ufeff")
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, found := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !found {
			return nil, fmt.Errorf(".env: line %d has no '=': write it as NAME=value, or remove it", i+1)
		}
		value, ok := unquote(strings.TrimSpace(value))
		if !ok {
			return nil, fmt.Errorf(".env: line %d has an opening quotation mark without a closing one: correct it", i+1)
		}
		values[strings.TrimSpace(name)] = value
	}
	return values, nil
}

// unquote removes the quotation marks around a value, or the comment after it.
// It returns false if the closing quotation mark is missing.
func unquote(value string) (string, bool) {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		value, _, _ = strings.Cut(value, " #")
		return strings.TrimSpace(value), true
	}
	inner, _, closed := strings.Cut(value[1:], value[:1])
	return inner, closed
}
