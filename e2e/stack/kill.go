package stack

// Kill ends the SFU at once, as a crash does; Start brings it back on the same
// ports.
func (s *SFU) Kill() { s.process.kill() }

// Kill ends the service at once. Start brings it back at the same address.
func (s *Service) Kill() { s.process.kill() }

// Kill ends the participant without a good-bye.
func (c *Client) Kill() { c.process.kill() }
