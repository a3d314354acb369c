package standby

// lock is a mutex made of a channel. The Store can hold it for long, while it
// writes the last changes. Some tests use virtual time, which must pass while a
// goroutine waits for the lock. Virtual time does not pass while a goroutine waits
// for a sync.Mutex.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }
