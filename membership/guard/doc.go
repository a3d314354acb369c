// Package guard ends sessions on the SFU if their participants are not in the
// Matrix room. It ends no other sessions.
//
// Two rules are equally strict. A person who is not joined is removed: within a
// second of an event that says so, or within two sweeps. A person who is joined
// is never removed, because that would end their call.
//
// The guard knows a participant by their ticket (package ticket). A session is
// enforced if the guard can open its ticket, the ticket is of this service, and
// it says that its bearer was known to be joined when the token was issued. The
// guard asks only about the bearers of such tickets. It counts all other
// sessions and leaves them alone.
//
// A person is a user in a Matrix room. Three things make the guard ask whether
// a person is joined:
//
//   - The SFU reports that they joined a call (Report). One no removes that
//     session, and earlier sessions of the person.
//   - The homeserver pushes an event of their membership (Changed). The event
//     itself proves nothing and may be old. One no removes the sessions that
//     began before the question.
//   - A sweep asks about everybody on the SFU. Two answers of no, at least two
//     seconds apart, make the person a candidate for removal.
//
// Every question begins after the event that made it necessary. A no is used
// for a removal within six seconds, or not at all. Only a clear no removes
// anybody.
//
// The brake protects against a homeserver that has lost its database, and
// answers no for everybody. It engages when one sweep would remove more than 20
// persons and more than a third of those judged, or when joins and pushes would
// do so within a minute. A sweep also counts those who were removed within the
// last minute. If the brake would engage with the unanswered persons included,
// the sweep removes nobody, at most twice in a row. While the brake holds, no
// replica removes anybody. It disengages when a sweep gets yes about two thirds
// again.
package guard
