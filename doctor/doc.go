// Package doctor says why a deployment does not carry calls: it looks at the
// configuration, the homeserver, this service through its public address, the
// SFU and its webhooks, and names for each fault the cause and the setting that
// mends it.
//
// This package holds the questions, the table of [Causes] that they may find,
// from which docs/troubleshooting.md is made, too, and the command. [exam.plan]
// lists the questions as data. Package engine runs them and makes the report;
// package instruments has everything that sends a packet. All that a question
// sees of the world goes through a [Look].
package doctor

//go:generate go run ./gendoc ../docs/troubleshooting.md ../testpage/static/verdicts.js.gz
