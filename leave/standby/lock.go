package standby

// lock is a mutex made of a channel. It may be held for long, while the last changes
// are written. In tests with virtual time, time must pass while a goroutine waits for
// it, and no time passes while one waits for a sync.Mutex.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }
