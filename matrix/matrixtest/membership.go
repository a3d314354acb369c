package matrixtest

import (
	"net/http"
	"strings"
)

// isJoined answers a request that asks whether a user or a server is joined to
// a room (MSC4502).
func (a *AppServices) isJoined(w http.ResponseWriter, r *http.Request, service *Registered) {
	a.mu.Lock()
	script := a.script
	a.mu.Unlock()
	if script != nil {
		script.ServeHTTP(w, r)
		return
	}
	if service.MembershipOff {
		writeJSON(w, http.StatusNotFound, matrixError("M_UNRECOGNIZED", "Unrecognized request"))
		return
	}
	_, isService, ok := a.requester(w, r)
	if !ok {
		return
	}
	if !isService {
		writeJSON(w, http.StatusForbidden, matrixError("M_FORBIDDEN", "Only application services may ask"))
		return
	}
	room := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, isJoinedPath), "/is_joined")
	user, server := r.URL.Query().Get("mxid"), r.URL.Query().Get("server_name")
	switch {
	case !isRoomID(room):
		writeJSON(w, http.StatusBadRequest, matrixError("M_INVALID_PARAM", "Invalid room ID"))
	case user == "" && server == "":
		writeJSON(w, http.StatusBadRequest, matrixError("M_MISSING_PARAM", "Missing mxid or server_name"))
	case strings.ContainsFunc(user, func(c rune) bool { return c > 0x7f }):
		writeJSON(w, http.StatusBadRequest, matrixError("M_UNKNOWN", "Query parameter 'mxid' must be ascii"))
	case user != "" && (user[0] != '@' || !strings.Contains(user, ":")):
		writeJSON(w, http.StatusBadRequest, matrixError("M_INVALID_PARAM", "Invalid user ID"))
	default:
		writeJSON(w, http.StatusOK, map[string]bool{"joined": a.joined(room, user, server, service.Server)})
	}
}

// joined reports whether user, or any user of server, is joined to room. own is
// the name of the homeserver that the fake stands for. If no user of own is in
// room, joined returns false.
func (a *AppServices) joined(room, user, server, own string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	members, inside := a.rooms[room], false
	for member := range members {
		inside = inside || strings.HasSuffix(member, ":"+own)
	}
	if !inside {
		return false
	}
	for member := range members {
		if member == user || user == "" && strings.HasSuffix(member, ":"+server) {
			return true
		}
	}
	return false
}

// newRoomID is the length of a room id in room version 12 or later. Such an id
// has no domain.
const newRoomID = 44

func isRoomID(id string) bool {
	return strings.HasPrefix(id, "!") && (len(id) == newRoomID || strings.Contains(id, ":"))
}
