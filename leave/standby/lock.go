package standby

// lock is a mutex. It may be held for long, while the last changes are written.
// Tests in virtual time must notice such a wait, and they do not notice the
// wait for a sync.Mutex.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }
