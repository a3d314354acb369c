package doctor

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// tcpAnswer is what a TCP candidate answered while the participant was there;
// later nobody would.
type tcpAnswer struct {
	candidate Candidate
	err       error
}

// askAllTCP asks each TCP candidate for one answer by STUN.
func (l *Look) askAllTCP(ctx context.Context, m Media) []tcpAnswer {
	var answers []tcpAnswer
	for _, c := range m.Candidates[:min(len(m.Candidates), maxCandidates)] {
		if c.Network == "tcp" {
			answers = append(answers, tcpAnswer{candidate: c})
		}
	}
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i].err = l.askCandidate(ctx, answers[i].candidate, m) })
	}
	all.Wait()
	return answers
}

// iceTCP judges what the TCP candidates answered. That says that ICE over TCP
// answers there, not that media gets through.
func (e *exam) iceTCP(context.Context) Finding {
	var answered []string
	for _, a := range e.judged(e.joined.tcp) {
		if a.err != nil {
			return e.tcpSilent(a)
		}
		answered = append(answered, a.candidate.String())
	}
	if len(answered) == 0 {
		return found("ice-tcp-none", nil, "LiveKit named no address for media over TCP")
	}
	return ok("ICE over TCP answers at %s", strings.Join(answered, ", "))
}

// judged are the answers that count: from outside nobody reaches a private
// address, and a client takes the public one that there is beside it.
func (e *exam) judged(answers []tcpAnswer) []tcpAnswer {
	isPrivate := func(a tcpAnswer) bool { return !isPublicCandidate(a.candidate) }
	public := slices.DeleteFunc(slices.Clone(answers), isPrivate)
	if !e.o.Outside || len(public) == 0 {
		return answers
	}
	return public
}

func (e *exam) tcpSilent(a tcpAnswer) Finding {
	host, port := a.candidate.Addr.Addr().String(), strconv.Itoa(int(a.candidate.Addr.Port()))
	v := vars{"host": host, "port": port, "tcp_port": port, "command": "nc -vz " + host + " " + port}
	if isPublicCandidate(a.candidate) && !e.o.Outside {
		return found("hairpin", v, "%s: %s", a.candidate, reason(a.err))
	}
	return found("ice-tcp-closed", v, "%s: %s", a.candidate, reason(a.err))
}
