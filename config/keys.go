package config

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"matrixrtc-auth/internal/apikey"
	"matrixrtc-auth/internal/secret"
)

const waysToGiveKeys = "set LIVEKIT_KEY and LIVEKIT_SECRET, or LIVEKIT_KEY_FROM_FILE and LIVEKIT_SECRET_FROM_FILE, " +
	"or LIVEKIT_KEY_FILE to a file with the line 'key: secret'"

// keys returns the API pairs of the key file, else the single pair. v is the variable
// of that pair's API key.
func (j *judge) keys(v value) []apikey.Key {
	secretText, keyFile := j.variable("LIVEKIT_SECRET"), j.variable("LIVEKIT_KEY_FILE")
	idFile, secretFile := j.variable("LIVEKIT_KEY_FROM_FILE"), j.variable("LIVEKIT_SECRET_FROM_FILE")
	if keyFile.isSet() {
		j.ignore(keyFile, v, secretText, idFile, secretFile)
		return j.keyFile(keyFile)
	}
	id, idGiven := j.inlineOrFile(v, idFile, "the API key")
	text, secretGiven := j.inlineOrFile(secretText, secretFile, "the secret")
	switch {
	case !idGiven && !secretGiven:
		j.missing(", like its secret: "+waysToGiveKeys, v, secretText, idFile, secretFile, keyFile)
	case !idGiven:
		j.missing(", there is only a secret: "+waysToGiveKeys, v, idFile, keyFile)
	case !secretGiven:
		j.missing(", there is only a key: "+waysToGiveKeys, secretText, secretFile, keyFile)
	case !id.IsEmpty() && !text.IsEmpty():
		key := apikey.Key{ID: id.Reveal(), Secret: text}
		j.checkKey(decisive(v, idFile), decisive(secretText, secretFile), key)
		return []apikey.Key{key}
	}
	return nil
}

func (j *judge) keyFile(v value) []apikey.Key {
	text, ok := j.readText(v, "one line 'key: secret' for each key")
	if !ok {
		return nil
	}
	keys, err := parseKeyFile(text)
	if err != nil {
		j.fault(v, "the file cannot be used: %v; write one line 'key: secret' for each key", err)
		return nil
	}
	for _, key := range keys {
		j.checkKey(v, v, key)
	}
	return keys
}

// checkKey refuses a pair that would publish its secret. It warns of pairs that
// protect little, or that are probably a mistake. Faults and warnings name the
// variables id and text.
func (j *judge) checkKey(id, text value, key apikey.Key) {
	if len(key.ID) >= apikey.ShortestSecret && len(key.Secret.Reveal()) < apikey.ShortestSecret {
		j.swapped(id, text)
		return
	}
	if !utf8.ValidString(key.ID) {
		j.fault(id, "the API key is not UTF-8 text; copy it from the keys of the SFU again")
	}
	if strings.ContainsFunc(key.ID, blank) {
		j.warn(id, OddKey, "the API key has white space inside; write only the key")
	}
	if key.ID == "devkey" || key.Secret.Reveal() == "secret" {
		j.warn(text, WeakSecret, "devkey and secret are LiveKit's published demo values: anyone can make tokens for this SFU")
		return
	}
	j.checkSecret(text, key.Secret)
}

// swapped is a fault, not a warning: the API key is in every token, where
// everyone who gets one can read it.
func (j *judge) swapped(id, text value) {
	const problem = "has %d characters or more and its secret has fewer, so the two are swapped, and every token would show the secret; "
	if id.name == text.name {
		j.fault(id, "in the file an API key "+problem+"write 'key: secret'", apikey.ShortestSecret)
		return
	}
	j.fault(id, "the API key "+problem+"exchange it with %s", apikey.ShortestSecret, text.name)
}

func (j *judge) checkSecret(v value, text secret.Text) {
	if len(text.Reveal()) < apikey.ShortestSecret {
		j.warn(v, WeakSecret, "the secret has fewer than %d characters and may be guessed; make one with: openssl rand -hex 32", apikey.ShortestSecret)
	}
	if strings.ContainsFunc(text.Reveal(), blank) {
		j.warn(v, OddKey, "the secret has white space inside; write only the secret, on one line")
	}
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == byteOrderMark }
