package config

// Writable is what fills Input.DataWritable.
var Writable = writable

// Container is what fills Input.Container.
var Container = container
