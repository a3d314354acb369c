package leave

// Same reports whether j and other are copies of one delegation.
func (j Job) Same(other Job) bool {
	return j.Key == other.Key && j.DelayID == other.DelayID && j.AcceptedAt.Equal(other.AcceptedAt)
}

// Newer reports whether j is newer than other. Both are copies of the job of one key,
// and were changed separately. Of two delegations, the later one is newer. Of two
// copies of one delegation, the copy that was restarted last is newer. If both were
// restarted at the same time, the copy that entered its state last is newer.
func (j Job) Newer(other Job) bool {
	switch {
	case !j.Same(other):
		return j.After(other)
	case !j.Restarted.Equal(other.Restarted):
		return j.Restarted.After(other.Restarted)
	}
	return j.Since.After(other.Since)
}

// Merged merges two copies of the job of one key. The result is the newer of stored and
// copy by [Job.Newer], or copy if neither is newer. The result must cancel all leaves
// that either copy had to cancel. It has the lease that ends later, and the higher
// version. The store then gives it a still higher version.
func Merged(stored, copy Job) Job {
	stays, goes := copy, stored
	if stored.Newer(copy) {
		stays, goes = stored, copy
	}
	stays = stays.Replacing(goes)
	stays.Version = max(stays.Version, goes.Version)
	if goes.Lease.Until.After(stays.Lease.Until) {
		stays.Lease = goes.Lease
	}
	return stays
}
