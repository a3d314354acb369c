package outbound

// Weight is for tests of what chains count for.
var Weight = weight
