//go:build !unix

package config

// writable returns false, because the image's directory /data exists only on
// unix.
func writable(string) bool { return false }

// mounted returns false, because volumes exist only on unix.
func mounted(string) bool { return false }

// fleeting returns "", because on this system the program does not know which
// file systems are lost at a restart.
func fleeting(string, bool) string { return "" }
