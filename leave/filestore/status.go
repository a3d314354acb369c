package filestore

// Status is the present state of the leave file.
type Status struct {
	// SetAside is how many records of the file were invalid when this process read it.
	// These records are still in the old file, which the store has renamed.
	SetAside int
	// Repairs is how often this process has written the file again because another
	// program had deleted, moved or changed it. Why says what that program did the last
	// time.
	Repairs int
	Why     string
	// Failing says why the store cannot write the file. It is "" if the store can write
	// the file. While it is not "", new changes are lost if the process ends.
	Failing string
}

// Status returns the present state of the leave file.
func (s *Store) Status() Status {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	return Status{j.setAside, j.repairs.n, j.repairs.why, j.failing}
}
