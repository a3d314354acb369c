package config

// Mounted and MountOf say whether a directory is on a volume.
var (
	Mounted = mounted
	MountOf = mountOf
)

// Fleeting says whether what is written there lasts.
var (
	Fleeting   = fleeting
	FleetingBy = fleetingBy
)
