package config

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
)

const waysToGiveKeys = "set LIVEKIT_KEY and LIVEKIT_SECRET, or LIVEKIT_KEY_FROM_FILE and LIVEKIT_SECRET_FROM_FILE, " +
	"or LIVEKIT_KEY_FILE to a file with the line 'key: secret'"

// keys returns the API pairs: those of the key file, else the single one.
func (j *judge) keys(env Environment) []sfu.Key {
	if env.KeyFile.isSet() {
		j.ignore(env.KeyFile, env.Key, env.Secret, env.KeyFromFile, env.SecretFromFile)
		return j.keyFile(env.KeyFile)
	}
	id, idGiven := j.inlineOrFile(env.Key, env.KeyFromFile, "the API key")
	text, secretGiven := j.inlineOrFile(env.Secret, env.SecretFromFile, "the secret")
	switch {
	case !idGiven && !secretGiven:
		j.fault(env.Key, "missing, like its secret: %s", waysToGiveKeys)
	case !idGiven:
		j.fault(env.Key, "missing, there is only a secret: %s", waysToGiveKeys)
	case !secretGiven:
		j.fault(env.Secret, "missing, there is only a key: %s", waysToGiveKeys)
	case !id.IsEmpty() && !text.IsEmpty():
		key := sfu.Key{ID: id.Reveal(), Secret: text}
		j.checkKey(decisive(env.Key, env.KeyFromFile), decisive(env.Secret, env.SecretFromFile), key)
		return []sfu.Key{key}
	}
	return nil
}

// inlineOrFile returns the content of the file, else the inline value, and
// whether either was given. An unreadable file was given, but is empty here.
// What the file should hold is for a fault.
func (j *judge) inlineOrFile(inline, file Value, what string) (text secret.Text, given bool) {
	if !file.isSet() {
		return inline.text, inline.isSet()
	}
	j.ignore(file, inline)
	content, _ := j.readText(file, what)
	return secret.New(clean(content)), true
}

// decisive is the variable that inlineOrFile follows.
func decisive(inline, file Value) Value {
	if file.isSet() {
		return file
	}
	return inline
}

func (j *judge) keyFile(v Value) []sfu.Key {
	text, ok := j.readText(v, "one line 'key: secret' for each key")
	if !ok {
		return nil
	}
	keys, err := parseKeyFile(text)
	if err != nil {
		j.fault(v, "in the file that it names %v; write one line 'key: secret' for each key", err)
		return nil
	}
	for _, key := range keys {
		j.checkKey(v, v, key)
	}
	return keys
}

// checkKey refuses a pair that would publish its secret, and warns of pairs that
// work but hardly protect anything or are probably not what was meant. Faults
// and warnings name the variables id and text.
func (j *judge) checkKey(id, text Value, key sfu.Key) {
	if len(key.ID) >= shortestSecret && len(key.Secret.Reveal()) < shortestSecret {
		j.swapped(id, text)
		return
	}
	if !utf8.ValidString(key.ID) {
		j.fault(id, "the API key is not UTF-8 text; copy it from the keys of the SFU again")
	}
	if strings.ContainsFunc(key.ID, blank) {
		j.warn(id, "the API key has white space inside; is it more than the key?")
	}
	if key.ID == "devkey" || key.Secret.Reveal() == "secret" {
		j.warn(text, "devkey and secret are LiveKit's published demo values: anyone can make tokens for this SFU")
		return
	}
	j.checkSecret(text, key.Secret)
}

// swapped is a fault, not a doubt: the API key stands in every token, where
// anyone who gets one can read it.
func (j *judge) swapped(id, text Value) {
	const problem = "has %d characters or more and its secret has fewer, so the two are swapped, and every token would show the secret; "
	if id.name == text.name {
		j.fault(id, "in the file that it names an API key "+problem+"write 'key: secret'", shortestSecret)
		return
	}
	j.fault(id, "the API key "+problem+"exchange it with %s", shortestSecret, text.name)
}

// shortestSecret is the length in bytes under which LiveKit logs an error.
const shortestSecret = 32

func (j *judge) checkSecret(v Value, text secret.Text) {
	if len(text.Reveal()) < shortestSecret {
		j.warn(v, "the secret has fewer than %d characters and may be guessed; make one with: openssl rand -hex 32", shortestSecret)
	}
	if strings.ContainsFunc(text.Reveal(), blank) {
		j.warn(v, "the secret has white space inside; is it one value on one line?")
	}
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == byteOrderMark }
