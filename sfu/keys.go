package sfu

// Keys returns the current pairs of API key and secret. The first one signs,
// and all verify. Callers call it each time they need a key, because keys may
// change while the service runs. Several goroutines may call it at once. If it
// is nil, there are no keys.
type Keys func() []Key

func (k Keys) all() []Key {
	if k == nil {
		return nil
	}
	return k()
}

// Always returns a function Keys that always returns keys.
func Always(keys ...Key) Keys { return func() []Key { return keys } }
