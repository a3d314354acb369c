package doctor

import "matrixrtc-auth/doctor/engine"

var memberCauses = []engine.Cause{
	{ID: "livekit-attributes-small", Checks: []string{"livekit.attributes"}, From: "inside", Status: engine.Fail, Code: connectionLost,
		Text:   "limit.max_attributes_size in livekit.yaml is smaller than what this service writes into access tokens: LiveKit lets nobody in whose token has more",
		Remedy: "remove limit.max_attributes_size from livekit.yaml (LiveKit's default is 65536), or set it to {bytes} at least, and restart LiveKit"},
	{ID: "own-metadata", Checks: []string{"config.own_metadata"}, From: "inside", Status: engine.Warn,
		Text:   "participants may change their own metadata on LiveKit, and can so remove the ticket by which this service knows them: then it cannot remove them from the call when they are banned from the Matrix room",
		Remedy: "remove LIVEKIT_CAN_UPDATE_OWN_METADATA; Element Call does not need it"},
	{ID: "membership-braked", Checks: []string{"service.membership"}, From: "inside", Status: engine.Fail,
		Text:   "the brake holds: {server} says of too many people at once that they are not in their Matrix rooms, so nobody is removed from LiveKit",
		Remedy: "was the homeserver restored, or has it lost its database? When it knows its rooms again, the brake lifts by itself. If the people are to be removed, set LIVEKIT_MEMBERSHIP_BRAKE=off, and start the container again"},
	{ID: "membership-unanswered", Checks: []string{"service.membership"}, From: "inside", Status: engine.Fail,
		Text:   "{server} does not say who is joined: nobody is removed from LiveKit, and those who must be joined get no token",
		Remedy: "if the access token is refused, log the account in again, write the new token into the file of LIVEKIT_MEMBERSHIP_TOKEN_FILE, and send SIGHUP; else see what the homeserver, or a proxy in front of it, answers"},
	{ID: "membership-late", Checks: []string{"service.membership"}, From: "inside", Status: engine.Fail,
		Text:   "the last check whether the people on LiveKit are in their Matrix rooms is {late} overdue",
		Remedy: "see the service's log and sfu.api: a sweep needs LiveKit's answers to ListRooms"},
	{ID: "membership-unheard", Checks: []string{"service.membership"}, From: "inside", Status: engine.Warn,
		Text:   "who is banned from a Matrix room during a call stays in the call: there are no sweeps, and no events are pushed here",
		Remedy: "remove LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS=0, or have the homeserver push events: url in the registration file"},
	{ID: "membership-unbraked", Checks: []string{"service.membership"}, From: "inside", Status: engine.Warn,
		Text:   "LIVEKIT_MEMBERSHIP_BRAKE is off: if {server} loses its database, everybody is removed from their calls",
		Remedy: "when those are gone who were to be removed, remove LIVEKIT_MEMBERSHIP_BRAKE=off, and start the container again"},
}
