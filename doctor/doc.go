// Package doctor says why a deployment does not carry calls: it looks at the
// configuration, the homeserver, this service through its public address, the
// SFU and its webhooks, and names for each fault the cause and the setting that
// mends it.
//
// A [Check] looks at one thing and needs others to be right; checks run
// concurrently ([run]), and of one fault only the check that found it speaks.
// What it may find is in the table of [Causes], from which
// docs/troubleshooting.md is made, too. All that a check sees of the world goes
// through a [Look].
package doctor

//go:generate go run ./gendoc ../docs/troubleshooting.md
