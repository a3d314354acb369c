package standby

// lock is a mutex that is made of a channel. The Store can hold the lock for long,
// while it writes the last changes. Some tests run in virtual time. This time passes
// while a goroutine waits for a channel, but not while it waits for a sync.Mutex.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }
