package outbound

// Weight lets tests find out how many bytes a chain counts for.
var Weight = weight
