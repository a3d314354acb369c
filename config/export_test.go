package config

// Writable is exported for tests. Load fills Input.DataWritable with it.
var Writable = writable

// Container is exported for tests. Load fills Input.Container with it.
var Container = container
