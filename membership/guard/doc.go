// Package guard ends the sessions of those on the SFU who are not in the Matrix
// room, and of nobody else.
//
// Two rules are equally hard. Who is not joined is removed: within a second of
// an event that says so, or within two sweeps. Who is joined is never removed:
// their call would end.
//
// What the guard knows of a participant is their ticket (package ticket). A
// session is enforced if its ticket opens, is of this service, and says that its
// bearer was known to be joined when the token was issued. Only the bearers of
// such tickets are ever asked about. All others are counted and let be.
//
// Three things make the guard ask whether a person, a user in a Matrix room, is
// joined:
//
//   - The SFU reports that they joined (Report). One no removes this session, and
//     those of the person that began earlier.
//   - The homeserver pushes an event of their membership (Changed). The event
//     itself proves nothing, and may be old. One no removes the sessions that
//     began before the question.
//   - A sweep asks about everybody who is on the SFU. Two times no, at least two
//     seconds apart, make a candidate.
//
// Every question begins after what made it necessary. A no removes somebody within
// six seconds, or not at all. Any answer but a clear one removes nobody.
//
// The brake is for a homeserver that has lost its database, which answers no for
// everybody. It trips when one sweep would remove more than 20 persons and more
// than a third of those who were judged, or when joins and pushes would within a
// minute. A sweep counts those, too, who were removed within the last minute, and
// removes nobody if it would trip with those about whom there was no answer, at
// most twice in a row. While the brake holds nobody is removed, by any replica. It
// lifts when a sweep hears yes about two thirds of all again.
package guard
