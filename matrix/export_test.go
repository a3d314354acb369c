package matrix

// ReadMembers is for tests and benchmarks of large rooms.
var ReadMembers = readMembers
