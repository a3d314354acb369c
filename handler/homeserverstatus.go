package handler

import (
	"cmp"
	"time"

	"matrixrtc-auth/matrix"
)

// homeserverStatus is what /_status shows of one homeserver that the operator
// named. This service has asked that homeserver to verify OpenID tokens.
type homeserverStatus struct {
	Server string `json:"server"`
	// Addresses are the host:port pairs at which this service asks the
	// homeserver. Host is the name that this service sends in the header Host.
	// TLSName is the name that the homeserver's certificate must have.
	Addresses []string       `json:"addresses"`
	Host      string         `json:"host"`
	TLSName   string         `json:"tls_name"`
	FoundBy   matrix.FoundBy `json:"found_by"`
	Since     time.Time      `json:"since"` // when this service first asked the homeserver at these Addresses
	// Outcome is "ok", or the reason why the last request failed. Status is the
	// HTTP status of the last answer; 0 if that was 200.
	Outcome string `json:"outcome"`
	Status  int    `json:"status,omitempty"`
	// Answered says that a homeserver has answered at these Addresses. It is
	// also true if the homeserver refused the token.
	Answered bool      `json:"answered"`
	At       time.Time `json:"at"`
}

func (h *Handler) homeserversNow() []homeserverStatus {
	all := []homeserverStatus{}
	if h.Homeservers == nil {
		return all
	}
	for _, use := range h.Homeservers() {
		d := use.Destination
		all = append(all, homeserverStatus{
			Server: use.Server.String(), Addresses: d.Addrs, Host: d.Host, TLSName: d.TLSName, FoundBy: d.FoundBy,
			Since: use.Since.UTC(), Outcome: cmp.Or(string(use.Cause), "ok"), Status: use.Status, Answered: use.Answered, At: use.At.UTC(),
		})
	}
	return all
}
