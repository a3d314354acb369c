package stack

// Kill ends the SFU immediately, as a crash does. A later Start starts the SFU on the
// same ports.
func (s *SFU) Kill() { s.process.kill() }

// Kill ends the service immediately, as a crash does. A later Start starts the service
// at the same address.
func (s *Service) Kill() { s.process.kill() }

// Kill ends the participant's process immediately. The process does not tell the SFU
// that the participant leaves.
func (c *Client) Kill() { c.process.kill() }
