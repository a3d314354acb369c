package config

// Writable is what fills Input.DataWritable.
var Writable = writable
