package stack

// Kill ends the SFU at once, as a crash does. Start starts it again on the same
// ports.
func (s *SFU) Kill() { s.process.kill() }

// Kill ends the service at once. Start starts it again at the same address.
func (s *Service) Kill() { s.process.kill() }

// Kill ends the participant's process at once, so that the participant does not
// tell the SFU that they leave.
func (c *Client) Kill() { c.process.kill() }
