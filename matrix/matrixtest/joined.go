package matrixtest

import (
	"net/http"
	"strings"
)

// joinedMembersPath is the start of the path of a request for a room's members.
// The room id and "/joined_members" follow it.
const joinedMembersPath = "/_matrix/client/v3/rooms/"

// Logout makes an access token invalid.
func (a *AppServices) Logout(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.logins, token)
}

// OpenToAll lets everybody read room: it makes the room's history
// world_readable.
func (a *AppServices) OpenToAll(room string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = map[string]bool{}
	}
	a.open[room] = true
}

// MembersAsked returns how many requests for the members of a room the
// homeserver got.
func (a *AppServices) MembersAsked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.listed
}

// ScriptMembers sets the function that answers every request for a room's
// members from now on. If answer is nil, the fake answers these requests itself
// again.
func (a *AppServices) ScriptMembers(answer http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.members = answer
}

// ofUsers answers requests that any user may make. It returns false for all
// other requests.
func (a *AppServices) ofUsers(w http.ResponseWriter, r *http.Request) bool {
	room, lists := strings.CutSuffix(r.URL.Path, "/joined_members")
	room, ofRoom := strings.CutPrefix(room, joinedMembersPath)
	switch {
	case lists && ofRoom:
		a.joinedMembers(w, r, room)
	case r.URL.Path == whoAmIPath:
		a.whoAmI(w, r)
	default:
		return false
	}
	return true
}

func (a *AppServices) whoAmI(w http.ResponseWriter, r *http.Request) {
	if user, _, ok := a.requester(w, r); ok {
		writeJSON(w, http.StatusOK, map[string]any{"user_id": user, "is_guest": false})
	}
}

// joinedMembers answers with the members of room, if the user who asks is a
// member. If everybody may read the room, joinedMembers answers every user, as
// Synapse does.
func (a *AppServices) joinedMembers(w http.ResponseWriter, r *http.Request, room string) {
	a.mu.Lock()
	a.listed++
	script := a.members
	a.mu.Unlock()
	if script != nil {
		script(w, r)
		return
	}
	user, isService, ok := a.requester(w, r)
	if !ok {
		return
	}
	joined, open := a.membersOf(room)
	if _, inside := joined[user]; !inside && !open && !isService {
		writeJSON(w, http.StatusForbidden, matrixError("M_FORBIDDEN", "User is not in the room"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"joined": joined})
}

// profile describes one member in the list of members.
type profile struct {
	DisplayName string  `json:"display_name"`
	AvatarURL   *string `json:"avatar_url"`
}

func (a *AppServices) membersOf(room string) (joined map[string]profile, open bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	joined = map[string]profile{}
	for member := range a.rooms[room] {
		joined[member] = profile{DisplayName: member}
	}
	return joined, a.open[room]
}
