package standby

// lock is a mutex that is made of a channel, because some tests run in virtual time.
// Virtual time passes while a goroutine waits for a channel, but not while it waits
// for a sync.Mutex. A caller may have to wait long for the lock, while the Store
// writes the last changes of an outage.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }
