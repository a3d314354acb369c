package sfu

// Keys returns the current API pairs. The first one signs, and all verify.
// Callers call it whenever they need a key, because keys may change while the
// service runs. Several goroutines may call it at once. Nil has no keys.
type Keys func() []Key

func (k Keys) all() []Key {
	if k == nil {
		return nil
	}
	return k()
}

// Always returns Keys that never change.
func Always(keys ...Key) Keys { return func() []Key { return keys } }
