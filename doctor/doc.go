// Package doctor says why calls do not work in a deployment. It checks the
// configuration, the homeserver, this service through its public address, the
// SFU and the SFU's webhooks. For each fault it names the cause and the
// setting that mends it.
//
// This package has the checks and the command. [exam.plan] lists the checks as
// data. Package engine runs them and makes the report. Package causes is the
// table of what checks may find. Package instruments has everything that sends
// a packet. A check reaches the network and files only through a [Look].
package doctor

//go:generate go run ./gendoc ../docs/troubleshooting.md ../testpage/static/verdicts.js.gz
