// Package invite is the command test-link: it creates a probe room on the SFU,
// and a link for a phone.
//
// Whoever opens the link tests whether calls work on that phone and in its
// network. The command prints the link and its QR code. With --watch it also
// prints who opened the link, and the results of their tests.
package invite
