package filestore

// Status is the state of the leave file.
type Status struct {
	// SetAside is how many records of the file were invalid when this process read
	// the file. The store has renamed that file, and so has kept these records.
	SetAside int
	// Repairs is how often this process wrote the file again because other programs
	// had deleted, moved or changed it. Why says what the other programs did the
	// last time.
	Repairs int
	Why     string
	// Failing says why the file cannot be written. It is "" if the file can be
	// written. While Failing is not empty, new changes are lost if the process
	// ends.
	Failing string
}

// Status returns the state of the file.
func (s *Store) Status() Status {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	return Status{j.setAside, j.repairs.n, j.repairs.why, j.failing}
}
