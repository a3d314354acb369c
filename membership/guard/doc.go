// Package guard ends sessions on the SFU if their participants are not in the
// Matrix room. It ends no other sessions.
//
// Two rules are equally strict. A person who is not joined is removed: within a
// second of an event that says so, or within two sweeps. A person who is joined
// is never removed, because that would end their call.
//
// The guard knows a participant by their ticket (package ticket). A session is
// enforced if its ticket meets three conditions: the guard can open the ticket,
// this service made it, and it says that its bearer was known to be joined at
// that time. The guard asks only about the bearers of such tickets. It counts
// all other sessions and leaves them alone.
//
// A person is a user in a Matrix room. Three things make the guard ask whether a
// person is joined:
//
//   - The SFU reports that the person joined a call (Report). One answer "no"
//     removes the reported session, and earlier sessions of the person.
//   - The homeserver pushes an event of the person's membership (Changed). The
//     event itself proves nothing and may be old. One answer "no" removes the
//     sessions that began before the question.
//   - A sweep asks about everybody on the SFU. Two answers "no", at least two
//     seconds apart, make the person a candidate for removal.
//
// Every question begins after the event that made it necessary. The guard uses
// an answer "no" for a removal within six seconds, or not at all. Only a clear
// "no" removes anybody.
//
// The brake protects against a homeserver that has lost its database, and so
// says that nobody is joined. While the brake holds, no replica removes anybody.
// It engages when the guard would remove more than 20 persons, and these are
// more than a third of the persons whom it knows. That can happen in one sweep,
// or by joins and pushes within a minute. A sweep also counts the persons who
// were removed within the last minute. If a sweep gets so few answers that the
// brake might have to engage, the sweep removes nobody. That happens at most
// twice in a row. The brake disengages when a sweep gets the answer "yes" about
// two thirds of the persons again.
package guard
