package doctor

import (
	"context"
	"fmt"
	"slices"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/matrix"
)

// missed has the ids of those causes that doctor may find only because it asked at
// the wrong place, where there is no homeserver.
var missed = map[string]bool{
	"federation-dns": true, "federation-tls": true, "federation-unreachable": true, "openid-strange": true, "website-instead": true,
	"homeserver-silent": true,
}

// throughGap returns the finding to report in place of f, or f itself. If a step
// of discovery fails, doctor can only guess where the homeserver is, and f may be
// about the wrong place. Then throughGap returns a finding about the failed step.
func (h *homeserver) throughGap(ctx context.Context, f engine.Finding) engine.Finding {
	d := h.destiny
	v := engine.Vars{"server": h.name.String(), "address": clip(d.Addrs[0])}
	seen := fmt.Sprintf("%s; %s", clip(d.Note), f.Seen)
	isMissed := f.Cause != nil && missed[f.Cause.ID]
	switch {
	case d.Gap == matrix.GapUnread && !h.apexAnswers(ctx):
		return f // the check homeserver.addresses reports that the host does not answer, with more detail
	case d.Gap == matrix.GapSRV && isMissed:
		v["host"] = "the SRV records _matrix-fed._tcp and _matrix._tcp of " + clip(d.TLSName)
		return found("dns-broken", v, "%s", seen).In(f.At...)
	case d.FoundBy != matrix.FoundByDefault && d.FoundBy != matrix.FoundBySRV || d.Gap == matrix.GapSRV:
		return f
	case d.Gap == matrix.GapUnread && isMissed:
		return found("delegation-unread", v, "%s", seen).In(f.At...)
	case d.Gap == matrix.GapInvalid && isMissed:
		return found("delegation-invalid", v, "%s", seen).In(f.At...)
	case d.Gap == matrix.GapUnread && f.Status == engine.OK:
		return found("delegation-doubtful", v, "%s", seen).In(f.At...)
	}
	return f
}

// apexAnswers reports whether the host of the server name accepts connections.
// This host should serve the well-known documents.
func (h *homeserver) apexAnswers(ctx context.Context) bool {
	p := h.apexPlace()
	attempts, err := h.look.Reach(ctx, p.host, p.port)
	return err == nil && slices.ContainsFunc(attempts, func(a instruments.Attempt) bool { return a.Err == nil })
}

// withoutPort returns a remark if the name in .well-known/matrix/server has no
// port. Such a name means port 8448, although people usually mean port 443.
func (h *homeserver) withoutPort() string {
	name, err := matrix.ParseServerName(h.destiny.Host)
	if err != nil || name.Port() != "" {
		return ""
	}
	return " without a port, so 8448 is asked: " + clip(h.destiny.Host) + ":443 means the port of HTTPS"
}
