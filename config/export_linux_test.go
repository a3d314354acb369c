package config

// Mounted and MountOf say whether a directory is on a volume.
var (
	Mounted = mounted
	MountOf = mountOf
)
