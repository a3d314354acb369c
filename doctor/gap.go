package doctor

import (
	"context"
	"fmt"
	"slices"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/matrix"
)

// missed are the causes of findings that may mean that doctor asked a place
// where there is no homeserver.
var missed = map[string]bool{
	"federation-dns": true, "federation-tls": true, "federation-unreachable": true, "openid-strange": true, "website-instead": true,
	"homeserver-silent": true,
}

// throughGap judges a finding at a guessed place. If the step of discovery that
// should have named the place failed, throughGap returns that failure as the
// cause.
func (h *homeserver) throughGap(ctx context.Context, f engine.Finding) engine.Finding {
	d := h.destiny
	v := engine.Vars{"server": h.name.String(), "address": clip(d.Addrs[0])}
	seen := fmt.Sprintf("%s; %s", clip(d.Note), f.Seen)
	isMissed := f.Cause != nil && missed[f.Cause.ID]
	switch {
	case d.Gap == matrix.GapUnread && !h.apexAnswers(ctx):
		return f // homeserver.addresses reports this in more detail
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

// apexAnswers reports whether connections succeed to the host that should serve
// the documents of the server name.
func (h *homeserver) apexAnswers(ctx context.Context) bool {
	p := h.apexPlace()
	attempts, err := h.look.Reach(ctx, p.host, p.port)
	return err == nil && slices.ContainsFunc(attempts, func(a instruments.Attempt) bool { return a.Err == nil })
}

// withoutPort returns a remark about a name without a port in
// .well-known/matrix/server. It means port 8448, although people usually mean
// port 443.
func (h *homeserver) withoutPort() string {
	name, err := matrix.ParseServerName(h.destiny.Host)
	if err != nil || name.Port() != "" {
		return ""
	}
	return " without a port, so 8448 is asked: " + clip(h.destiny.Host) + ":443 means the port of HTTPS"
}
