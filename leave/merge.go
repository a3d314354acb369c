package leave

// Same reports whether j and other are copies of one delegation.
func (j Job) Same(other Job) bool {
	return j.Key == other.Key && j.DelayID == other.DelayID && j.AcceptedAt.Equal(other.AcceptedAt)
}

// Newer reports whether of two copies of a key's job that were worked on apart
// j is the one that counts: the later delegation, of one delegation the copy
// restarted last, and when that is equal too the one whose state is younger.
func (j Job) Newer(other Job) bool {
	switch {
	case !j.Same(other):
		return j.After(other)
	case !j.Restarted.Equal(other.Restarted):
		return j.Restarted.After(other.Restarted)
	}
	return j.Since.After(other.Since)
}

// Merged returns what becomes of stored when copy is brought in: the one that
// counts, copy when nothing tells them apart, with all that is still to be
// cancelled for either, and lent as long as either is. Its version is the
// greater of the two; a store writes it with one greater still.
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
