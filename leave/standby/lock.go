package standby

// lock is a mutex that is held while the last changes are given to the store:
// who waits for it waits for time to pass, which tests in virtual time have to
// see. They do not see that of a sync.Mutex.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }
