package doctor

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// iceTCP judges whether LiveKit answers at its TCP candidates. An answer shows
// that ICE over TCP works at that address, but not that media arrives.
//
//   - It is a warning if LiveKit names no TCP address.
//   - It is a warning if a public address does not answer from inside.
//   - It is a fault if any other address does not answer.
func (e media) iceTCP(context.Context) engine.Finding {
	var answered []string
	_, tcp := e.told.get()
	for _, a := range e.judged(tcp) {
		if a.Err != nil {
			return e.tcpSilent(a)
		}
		answered = append(answered, a.Candidate.String())
	}
	if len(answered) == 0 {
		return found("ice-tcp-none", nil, "LiveKit named no address for media over TCP")
	}
	return ok("ICE over TCP answers at %s", strings.Join(answered, ", "))
}

// judged returns the answers that doctor judges. With --outside, it leaves out
// private addresses if there is a public one, because clients outside use the
// public one.
func (e media) judged(answers []instruments.TCPAnswer) []instruments.TCPAnswer {
	isPrivate := func(a instruments.TCPAnswer) bool { return !isPublicCandidate(a.Candidate) }
	public := slices.DeleteFunc(slices.Clone(answers), isPrivate)
	if !e.o.Outside || len(public) == 0 {
		return answers
	}
	return public
}

func (e media) tcpSilent(a instruments.TCPAnswer) engine.Finding {
	host, port := a.Candidate.Addr.Addr().String(), strconv.Itoa(int(a.Candidate.Addr.Port()))
	v := engine.Vars{"host": host, "port": port, "tcp_port": port, "command": "nc -vz " + host + " " + port}
	if isPublicCandidate(a.Candidate) && !e.o.Outside {
		return found("hairpin", v, "%s: %s", a.Candidate, reason(a.Err)).In(host)
	}
	return found("ice-tcp-closed", v, "%s: %s", a.Candidate, reason(a.Err))
}
