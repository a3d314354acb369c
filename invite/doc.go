// Package invite is the command test-link: it creates a probe room on the SFU,
// and a link with which somebody tests from their phone whether calls work
// there. It prints the link and its QR code and, if wanted, who comes and what
// they find.
package invite
