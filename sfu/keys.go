package sfu

// Keys returns the API pairs in use: the first signs, all verify. It is asked
// whenever one is needed, because they may be exchanged while the service runs.
// It may be called by several goroutines at once. Nil has no keys.
type Keys func() []Key

func (k Keys) all() []Key {
	if k == nil {
		return nil
	}
	return k()
}

// Always returns keys that are never exchanged.
func Always(keys ...Key) Keys { return func() []Key { return keys } }
