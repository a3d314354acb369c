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

// keys returns the API keys with their secrets. They come from
// LIVEKIT_KEY_FILE. If this variable is unset, there is a single key, from v
// (LIVEKIT_KEY), and its secret, from LIVEKIT_SECRET. This key and this secret
// may also be in files; see inlineOrFile.
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

// checkKey reports a fault if the key and its secret are swapped, because every
// token would then show the secret. It warns of a pair that protects little or
// is probably a mistake. id and text are the variables that the faults and
// warnings name.
func (j *judge) checkKey(id, text value, key apikey.Key) {
	if len(key.ID) >= apikey.ShortestSecret && len(key.Secret.Reveal()) < apikey.ShortestSecret {
		j.swapped(id, text)
		return
	}
	if !utf8.ValidString(key.ID) {
		j.fault(id, "the API key is not UTF-8 text; copy it again from LiveKit's keys")
	}
	if strings.ContainsFunc(key.ID, blank) {
		j.warn(id, OddKey, "the API key contains white space; write only the key")
	}
	if key.ID == "devkey" || key.Secret.Reveal() == "secret" {
		j.warn(text, WeakSecret, "devkey and secret are LiveKit's published demo values: anyone can make tokens for this SFU; make another key, and a secret with: openssl rand -hex 32")
		return
	}
	j.checkSecret(text, key.Secret)
}

// swapped reports a fault: the API key and its secret are swapped. A warning would
// not be enough. Every token contains what is set as the API key, so everyone who
// gets a token could read the secret.
func (j *judge) swapped(id, text value) {
	const problem = "has %d characters or more and its secret has fewer, so the two are swapped, and every token would show the secret; "
	if id.name == text.name {
		j.fault(id, "in the file an API key "+problem+"write 'key: secret'", apikey.ShortestSecret)
		return
	}
	j.fault(id, "the API key "+problem+"exchange it with %s", apikey.ShortestSecret, text.name)
}

// checkSecret warns of a secret with fewer than 32 characters
// (apikey.ShortestSecret), and of white space inside. The service starts all the
// same.
func (j *judge) checkSecret(v value, text secret.Text) {
	if len(text.Reveal()) < apikey.ShortestSecret {
		j.warn(v, WeakSecret, "the secret has fewer than %d characters and can be guessed; make a new one with: openssl rand -hex 32", apikey.ShortestSecret)
	}
	if strings.ContainsFunc(text.Reveal(), blank) {
		j.warn(v, OddKey, "the secret contains white space; write only the secret, on one line")
	}
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == byteOrderMark }
