package standby

// lock is a mutex that is made of a channel. A caller can wait for it for long,
// while the Store writes the last changes of an outage. Some tests run in virtual
// time. Virtual time passes while a goroutine waits for a channel, but not while it
// waits for a sync.Mutex.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }
