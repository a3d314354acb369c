package matrix

// ReadMembers lets tests and benchmarks call readMembers.
var ReadMembers = readMembers
