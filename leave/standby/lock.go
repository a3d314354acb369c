package standby

// lock is a mutex that may be held for long, while the last changes are
// written. Tests in virtual time must see such a wait, and they do not see that
// of a sync.Mutex.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }
