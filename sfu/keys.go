package sfu

// Keys returns the current pairs of API key and secret. The first pair signs, and
// every pair verifies. Keys may change while the service runs, so callers call the
// function each time they need a key. Several goroutines may call it at the same
// time. A nil Keys means that there are no keys.
type Keys func() []Key

func (k Keys) all() []Key {
	if k == nil {
		return nil
	}
	return k()
}

// Always returns a function of the type Keys that returns the same keys on
// every call.
func Always(keys ...Key) Keys { return func() []Key { return keys } }
