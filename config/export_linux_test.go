package config

// Mounted and MountOf are exported for tests.
var (
	Mounted = mounted
	MountOf = mountOf
)

// Fleeting is exported for tests.
var (
	Fleeting   = fleeting
	FleetingBy = fleetingBy
)
