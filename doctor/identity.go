package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/matrix"
)

// The paths of the Server-Server API at which a homeserver says its server
// name and which program it is.
const (
	keyPath     = "/_matrix/key/v2/server"
	versionPath = "/_matrix/federation/v1/version"
)

// kind says which program a homeserver is, in its own words.
type kind struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func (k kind) String() string {
	switch {
	case k.Name == "":
		return "a program that does not say its name"
	case k.Version == "":
		return clip(k.Name)
	}
	return clip(k.Name + " " + k.Version)
}

// isSynapse reports whether a remedy should name Synapse's settings. That is so
// if the homeserver is a Synapse, or if its program is unknown.
func (k kind) isSynapse() bool { return k.Name == "" || k.Name == "Synapse" }

// identity asks the homeserver for its server name and its program. It compares
// this server name with the name that the operator gave. The operator may have
// given the name of the homeserver's host by mistake. User ids always end in the
// server name.
func (h *homeserver) identity(ctx context.Context) engine.Finding {
	var key struct {
		Name string `json:"server_name"`
	}
	var version struct {
		Server kind `json:"server"`
	}
	r, err := h.askFederation(ctx, keyPath, &key)
	_, _ = h.askFederation(ctx, versionPath, &version)
	h.kind = version.Server
	name, bad := matrix.ParseServerName(key.Name)
	if bad != nil && h.askHost(ctx, keyPath, &key) {
		if h.kind.Name == "" && h.askHost(ctx, versionPath, &version) {
			h.kind = version.Server
		}
		if name, bad = matrix.ParseServerName(key.Name); bad == nil {
			err = nil
		}
	}
	switch {
	case err != nil:
		return na("GET %s: %s", keyPath, reason(err))
	case bad != nil:
		return na("GET %s: %s, without a name", keyPath, r)
	case name != h.name && h.look.Config.FullAccess.Contains(name):
		return na("the homeserver calls itself %s, which is in the list, too", name)
	case name != h.name:
		list := h.look.Config.FullAccess
		list.Servers = slices.DeleteFunc(slices.Clone(list.Servers), func(n matrix.ServerName) bool { return n == h.name })
		v := engine.Vars{"server": h.name.String(), "other": name.String(), "list": with(list, name)}
		return found("other-server-name", v, "what answers for %s calls itself %s (%s)", h.name, name, h.kind)
	}
	return ok("the homeserver calls itself %s, and is %s", name, h.kind)
}

// askHost asks the host of the server name at port 443. The operator may have
// given the homeserver's host instead of the server name. Then discovery does
// not find the homeserver, but the homeserver answers at this host.
func (h *homeserver) askHost(ctx context.Context, path string, answer any) bool {
	r, err := h.look.Get(ctx, "https://"+h.name.Host()+path)
	return err == nil && r.Status == http.StatusOK && json.Unmarshal(r.Body, answer) == nil
}

// askFederation sends a GET request to the homeserver's addresses in turn,
// until one answers.
func (h *homeserver) askFederation(ctx context.Context, path string, answer any) (r instruments.Reply, err error) {
	for _, addr := range h.destiny.Addrs {
		route := outbound.Route{Scheme: h.destiny.Scheme, Addr: addr, TLSName: h.destiny.TLSName}
		if r, err = h.look.AskAt(ctx, route, h.destiny.Host, h.destiny.Path+path, h.look.Config.InsecureSkipVerifyTLS); err == nil {
			break
		}
	}
	if err == nil && r.Status == http.StatusOK {
		_ = json.Unmarshal(r.Body, answer) // a field with another type stays empty
	}
	return r, err
}
