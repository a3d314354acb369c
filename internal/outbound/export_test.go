package outbound

// Weight lets tests of package outbound_test call weight.
var Weight = weight
