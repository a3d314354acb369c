package instruments

import (
	"context"
	"sync"
)

// TCPAnswer is what a TCP candidate answered while the participant was there;
// later nobody would.
type TCPAnswer struct {
	Candidate Candidate
	Err       error
}

// AskAllTCP asks each TCP candidate for one answer by STUN.
func (n *Network) AskAllTCP(ctx context.Context, m Media) []TCPAnswer {
	var answers []TCPAnswer
	for _, c := range m.Candidates[:min(len(m.Candidates), MaxCandidates)] {
		if c.Network == "tcp" {
			answers = append(answers, TCPAnswer{Candidate: c})
		}
	}
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i].Err = n.AskCandidate(ctx, answers[i].Candidate, m) })
	}
	all.Wait()
	return answers
}
