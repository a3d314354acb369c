package filestore

// Status is the state of the file.
type Status struct {
	// SetAside is how many records of the file were invalid when it was read. The
	// file that contains them was renamed.
	SetAside int
	// Repairs is how often others have deleted, moved or changed the file, so
	// that it was written anew. Why is what they did last.
	Repairs int
	Why     string
	// Failing says why the file cannot be written, "" if it can. While it is set,
	// new changes are lost if the process ends.
	Failing string
}

// Status returns the state of the file.
func (s *Store) Status() Status {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	return Status{j.setAside, j.repairs.n, j.repairs.why, j.failing}
}
