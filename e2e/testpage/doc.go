// Package testpage tests which verdicts the page of the connection test gives. Its
// scripts run in Node.js, without a browser.
package testpage
