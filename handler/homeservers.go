package handler

import (
	"cmp"
	"time"

	"matrixrtc-auth/matrix"
)

// homeserverStatus is what /_status tells of a homeserver that the operator
// named and that was asked whose a token is.
type homeserverStatus struct {
	Server string `json:"server"`
	// Addresses are where it is asked, host:port, and Host and TLSName the names
	// that it must have there.
	Addresses []string       `json:"addresses"`
	Host      string         `json:"host"`
	TLSName   string         `json:"tls_name"`
	FoundBy   matrix.FoundBy `json:"found_by"`
	Since     time.Time      `json:"since"` // when it was first asked there
	// Outcome is "ok" or why the last request failed, Status that answer's HTTP
	// status if it was not 200.
	Outcome string `json:"outcome"`
	Status  int    `json:"status,omitempty"`
	// Answered says that a homeserver answered, be it that it knows no such token.
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
