package matrix

// ReadMembers gives tests and benchmarks access to readMembers.
var ReadMembers = readMembers
