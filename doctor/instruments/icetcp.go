package instruments

import (
	"context"
	"sync"
)

// TCPAnswer is what happened when doctor sent a STUN request to a TCP
// candidate. A candidate answers only while the participant is in the room.
type TCPAnswer struct {
	Candidate Candidate
	Err       error
}

// AskAllTCP sends one STUN request to each TCP candidate.
func (n *Network) AskAllTCP(ctx context.Context, m Media) []TCPAnswer {
	var answers []TCPAnswer
	for _, c := range m.Candidates[:min(len(m.Candidates), MaxCandidates)] {
		if c.Network == "tcp" {
			answers = append(answers, TCPAnswer{Candidate: c})
		}
	}
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i].Err = n.askCandidate(ctx, answers[i].Candidate, m) })
	}
	all.Wait()
	return answers
}
