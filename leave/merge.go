package leave

// Same reports whether j and other are copies of one delegation.
func (j Job) Same(other Job) bool {
	return j.Key == other.Key && j.DelayID == other.DelayID && j.AcceptedAt.Equal(other.AcceptedAt)
}

// Newer reports whether j is newer than other. The two are copies of one key's job
// that were changed separately. The later delegation is newer. Of copies of one
// delegation, the copy that was restarted last is newer. If both were restarted at
// the same time, the copy that entered its state last is newer.
func (j Job) Newer(other Job) bool {
	switch {
	case !j.Same(other):
		return j.After(other)
	case !j.Restarted.Equal(other.Restarted):
		return j.Restarted.After(other.Restarted)
	}
	return j.Since.After(other.Since)
}

// Merged returns stored merged with copy. The result is the newer job by
// [Job.Newer], or copy if neither is newer. The result has all leaves that either
// job still had to cancel, the later end of a lease, and the higher version. The
// store then gives the result a still higher version.
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
