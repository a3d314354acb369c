package leave

// Same reports whether j and other are copies of one delegation.
func (j Job) Same(other Job) bool {
	return j.Key == other.Key && j.DelayID == other.DelayID && j.AcceptedAt.Equal(other.AcceptedAt)
}

// Newer reports which of two copies of one key's job counts, after both were
// changed separately. The later delegation counts. For one delegation, the copy
// restarted last counts, then the one whose state is younger.
func (j Job) Newer(other Job) bool {
	switch {
	case !j.Same(other):
		return j.After(other)
	case !j.Restarted.Equal(other.Restarted):
		return j.Restarted.After(other.Restarted)
	}
	return j.Since.After(other.Since)
}

// Merged returns stored merged with copy. It is the job that counts by
// [Job.Newer], or copy if both are equal. It has all leaves that either job
// still had to cancel, and the longer lease. Its version is the higher one of
// both; the store then gives it a still higher version.
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
