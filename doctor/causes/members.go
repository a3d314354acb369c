package causes

import "matrixrtc-auth/doctor/engine"

var memberCauses = []engine.Cause{
	{ID: "livekit-attributes-small", Checks: []string{"livekit.attributes"}, From: "inside", Status: engine.Fail, Code: connectionLost,
		Text:   "limit.max_attributes_size in livekit.yaml is smaller than the attributes that this service writes into access tokens. LiveKit refuses everybody whose token exceeds the limit",
		Remedy: "remove limit.max_attributes_size from livekit.yaml (LiveKit's default is 65536), or set it to at least {bytes} bytes. Then restart LiveKit"},
	{ID: "own-metadata", Checks: []string{"config.own_metadata"}, From: "inside", Status: engine.Warn,
		Text:   "LIVEKIT_CAN_UPDATE_OWN_METADATA lets participants change their own metadata on LiveKit. In the metadata this service keeps its ticket, which says who the participant is. Without the ticket, this service cannot remove participants from the call when they are banned from the Matrix room",
		Remedy: "remove LIVEKIT_CAN_UPDATE_OWN_METADATA. Element Call does not need it"},
	{ID: "membership-braked", Checks: []string{"service.membership"}, From: "inside", Status: engine.Fail,
		Text:   "{server} suddenly says that more than 20 people, and more than a third of all people in calls, are not in their Matrix rooms. This service assumes that the homeserver has a fault. So this service removes nobody from LiveKit any more: its brake holds",
		Remedy: "check whether the homeserver was restored from a backup, or lost its database. When the homeserver knows its rooms again, this service releases the brake by itself. If these people should be removed, set LIVEKIT_MEMBERSHIP_BRAKE=off, and create the container again"},
	{ID: "membership-unanswered", Checks: []string{"service.membership"}, From: "inside", Status: engine.Fail,
		Text:   "{server} does not tell this service who is joined to its rooms. So this service removes nobody from LiveKit, and gives no token to users who must be joined to the Matrix room",
		Remedy: "doctor shows the homeserver's answer. If the homeserver refuses the access token, log the account in again. Write the new token into the file that LIVEKIT_MEMBERSHIP_TOKEN_FILE names. Then send the service SIGHUP (docker compose kill -s HUP matrixrtc-auth). Otherwise see the logs of the homeserver and of the proxy in front of it"},
	{ID: "membership-late", Checks: []string{"service.membership"}, From: "inside", Status: engine.Fail,
		Text:   "this service regularly checks whether everybody on LiveKit is in their Matrix room. Such a check is called a sweep. The next sweep is {late} overdue",
		Remedy: "see the service's log, which says why a sweep failed. If doctor's check sfu.api fails, too, correct that fault first, because a sweep asks LiveKit for its rooms"},
	{ID: "membership-unheard", Checks: []string{"service.membership"}, From: "inside", Status: engine.Warn,
		Text:   "this service does not learn when somebody is banned from a Matrix room during a call, so that person stays in the call. The regular checks of this service (sweeps) are switched off, and the homeserver pushes no events to this service",
		Remedy: "remove LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS=0, or set url in the registration file, so that the homeserver pushes events"},
	{ID: "membership-unbraked", Checks: []string{"service.membership"}, From: "inside", Status: engine.Warn,
		Text:   "LIVEKIT_MEMBERSHIP_BRAKE is off. If {server} loses its database, this service removes everybody from their calls",
		Remedy: "when the people who should be removed are gone, delete LIVEKIT_MEMBERSHIP_BRAKE=off from the configuration, and create the container again"},
}
