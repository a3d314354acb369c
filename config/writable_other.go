//go:build !unix

package config

// writable returns false: the image's directory exists only on unix.
func writable(string) bool { return false }

// mounted returns false: volumes exist only on unix.
func mounted(string) bool { return false }

// fleeting: what a file system is cannot be told.
func fleeting(string, bool) string { return "" }
