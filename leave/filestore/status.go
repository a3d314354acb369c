package filestore

// Status is what has become of the file.
type Status struct {
	// SetAside is how many records of the file were no jobs, when it was read.
	// The file that they are in is kept under another name.
	SetAside int
	// Repairs is how often others have deleted, moved or changed the file, so
	// that it was written anew; Why is what they had done last.
	Repairs int
	Why     string
	// Failing says why the file cannot be written, "" while it can: what only
	// this process knows is lost with it.
	Failing string
}

// Status returns what has become of the file.
func (s *Store) Status() Status {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	return Status{j.setAside, j.repairs.n, j.repairs.why, j.failing}
}
