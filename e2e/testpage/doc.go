// Package testpage tests what the page of the connection test makes of what it
// finds: its scripts run in Node.js, without a browser.
package testpage
