//go:build !unix

package config

// writable: the image's directory is nowhere but on unix.
func writable(string) bool { return false }

// mounted: nor is any volume.
func mounted(string) bool { return false }

// fleeting: what a file system is cannot be told.
func fleeting(string, bool) string { return "" }
