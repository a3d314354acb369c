package existing

import (
	"slices"
	"strings"

	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/sfu"
)

// keys chooses the key pair that LiveKit and the service share. It prefers
// LiveKit's keys, because other programs may use them, too.
func (j *judge) keys() {
	theirs, ours := j.livekitPairs(), j.servicePairs()
	chosen := pick(theirs, ours)
	if chosen.ID == "" || chosen.Secret.IsEmpty() {
		if j.service != nil || j.sfu != nil {
			j.find(Finding{Verb: Change, What: "the key and its secret", Place: j.serviceAt(),
				Why: "No file that setup has read has both, so setup made new ones. If other programs use the old key, give them the key and secret in .env."})
		}
		return
	}
	for _, p := range ours {
		if p.ID == chosen.ID && !p.Secret.Equal(chosen.Secret) {
			j.find(Finding{Verb: Change, What: "the secret of the key " + p.ID, Place: p.Place,
				Why: "It differs from the secret in " + chosen.Place.String() + ", so LiveKit refused the service. setup uses LiveKit's secret for both."})
		}
	}
	if len(theirs) > 0 && len(ours) > 0 && !slices.ContainsFunc(theirs, func(p Pair) bool { return p.ID == ours[0].ID }) {
		j.find(Finding{Verb: Change, What: "the key " + shownKey(ours[0].ID) + " of the service", Place: ours[0].Place,
			Why: "LiveKit has no key of that name, so it refused the service. setup uses LiveKit's key " + shownKey(chosen.ID) + " for both."})
	}
	for _, p := range theirs {
		if p.ID != chosen.ID {
			j.find(Finding{Verb: Drop, What: "the key " + shownKey(p.ID) + " of LiveKit", Place: p.Place,
				Why:   "setup writes only one key. If another program (egress, ingress) uses this key, give that program the key " + shownKey(chosen.ID) + ".",
				Check: "no other program of yours uses that key."})
		}
	}
	j.usable(chosen)
}

// pick chooses the pair that LiveKit and the service will share. theirs has
// LiveKit's pairs, and ours has the service's pairs. If a key is in both lists,
// pick returns LiveKit's pair with this key. Otherwise it returns LiveKit's
// first pair or, without one, the service's first pair.
func pick(theirs, ours []Pair) Pair {
	for _, p := range ours {
		for _, their := range theirs {
			if p.ID == their.ID {
				return their
			}
		}
	}
	for _, p := range append(slices.Clone(theirs), ours...) {
		return p
	}
	return Pair{}
}

var (
	keyName    = pattern.New(`^[A-Za-z0-9_-]{1,64}$`)
	secretText = pattern.New(`^[A-Za-z0-9!%&()*+,./:;<=>?@^_{|}~-]*$`)
)

// IsKeyName reports whether setup can write id as the name of an API key: it has
// up to 64 characters, and YAML and Compose change none of them.
func IsKeyName(id string) bool { return keyName().MatchString(id) }

// IsSecret reports whether setup can write text as the secret of an API key: it
// has [sfu.ShortestSecret] characters or more, and YAML and Compose change none
// of them.
func IsSecret(text string) bool {
	return len(text) >= sfu.ShortestSecret && secretText().MatchString(text)
}

// shownKey returns a key's name for a message. It hides a long or strange name,
// because a secret may stand in the place of the name.
func shownKey(id string) string {
	if len(id) >= sfu.ShortestSecret || !IsKeyName(id) {
		return "(not shown)"
	}
	return id
}

// usable makes setup take over the pair p. If p's secret is too weak or setup
// cannot write p, usable adds a finding instead.
func (j *judge) usable(p Pair) {
	text := p.Secret.Reveal()
	why := ""
	switch {
	case len(p.ID) >= sfu.ShortestSecret && len(text) < sfu.ShortestSecret:
		why = "Key and secret are swapped, so every token showed the secret."
	case p.ID == "devkey" || text == "secret":
		why = "devkey and secret are LiveKit's published demo values: anyone could make tokens."
	case len(text) < sfu.ShortestSecret:
		why = "It has fewer than 32 characters and could be guessed."
	case !IsKeyName(p.ID) || !IsSecret(text):
		why = "It has characters that YAML or Compose change."
	default:
		j.Pair = p
		return
	}
	j.find(Finding{Verb: Change, What: "the key and its secret", Place: p.Place,
		Why: why + " setup made new ones. If other programs use the old key, give them the key and secret in .env."})
}

// livekitPairs returns LiveKit's pairs of API key and secret. If LIVEKIT_KEYS is
// set, LiveKit ignores the keys in livekit.yaml.
func (j *judge) livekitPairs() (list []Pair) {
	if v, found := j.sfu.variable("LIVEKIT_KEYS"); found {
		return pairsIn(v)
	}
	for _, e := range j.config.get("keys").entries() {
		list = append(list, pairOf(e))
	}
	if len(list) > 0 || !j.config.get("key_file").there() {
		return list
	}
	return j.filePairs()
}

// filePairs returns the API keys with their secrets in LiveKit's key files.
func (j *judge) filePairs() (list []Pair) {
	for _, t := range j.keyFiles {
		for _, e := range t.entries() {
			list = append(list, pairOf(e))
		}
	}
	return list
}

func pairOf(e entry) Pair {
	return Pair{strings.TrimSpace(e.key), secret.New(strings.TrimSpace(e.value.text())), e.at}
}

// pairsIn parses the value of LIVEKIT_KEYS, a YAML mapping from keys to
// secrets.
func pairsIn(v Variable) (list []Pair) {
	t, err := parse(File{v.File, []byte(v.Value.Reveal())})
	if err != nil {
		return nil
	}
	for _, e := range t.entries() {
		list = append(list, Pair{e.key, secret.New(e.value.text()), v.Place})
	}
	return list
}

// servicePairs returns the pairs of an API key and its secret in the service's
// environment.
func (j *judge) servicePairs() []Pair {
	if _, found := j.service.variable("LIVEKIT_KEY_FILE"); found {
		return j.filePairs()
	}
	id, hasID := j.service.variable("LIVEKIT_KEY", "LIVEKIT_API_KEY")
	text, hasText := j.service.variable("LIVEKIT_SECRET", "LIVEKIT_API_SECRET")
	if !hasID || !hasText {
		return nil
	}
	if j.of != nil && text.File == j.of.file && !j.of.isOutside(text.Value.Reveal()) {
		j.find(Finding{Verb: Change, What: text.Name + " in the compose file", Place: text.Place,
			Why: "Everybody who can read that file can read the secret. The secret is in .env now, which only its owner can read."})
	}
	return []Pair{{strings.TrimSpace(id.Value.Reveal()), secret.New(strings.TrimSpace(text.Value.Reveal())), text.Place}}
}

// isOutside reports whether value is the value of a variable in an env file.
func (c *compose) isOutside(value string) bool {
	for _, v := range c.values {
		if v == value {
			return true
		}
	}
	return false
}
