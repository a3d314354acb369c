// Package doctor says why a deployment does not carry calls: it looks at the
// configuration, the homeserver, this service through its public address, the
// SFU and its webhooks, and names for each fault the cause and the setting that
// mends it.
//
// This package holds the checks and the command. [exam.plan] lists the checks as
// data. Package engine runs them and makes the report. Package causes is the
// table of what checks may find. Package instruments does everything that sends
// a packet. A check reaches the world only through a [Look].
package doctor

//go:generate go run ./gendoc ../docs/troubleshooting.md ../testpage/static/verdicts.js.gz
