package filestore

// Status is what has become of the file.
type Status struct {
	// SetAside is how many records of the file were no jobs, when it was read.
	// The file that they are in is kept under another name.
	SetAside int
}

// Status returns what has become of the file.
func (s *Store) Status() Status { return Status{SetAside: s.journal.setAside} }
