package redisurl

import "errors"

// Examples of valid URLs for errors.
const (
	cluster  = "redis://host:6379?cluster=true&addr=host2:6379"
	sentinel = "redis://host:26379/0?master_name=mymaster&addr=host2:26379"
	either   = sentinel + " for Sentinels, " + cluster + " for a cluster"

	writeServer = "write redis://host:6379/0, rediss:// for TLS or unix:///path"
	encode      = "percent-encode the special characters in the password, or put the password into LIVEKIT_REDIS_PASSWORD"
)

// fault returns an error that says what is wrong with a URL, and what to write
// instead.
func fault(wrong, remedy string) error {
	return errors.New(wrong + " (not shown: it may hold a password); " + remedy)
}

var (
	errText       = fault("not the URL of a Redis server", writeServer+", and "+encode)
	errScheme     = fault("begins with none of redis://, rediss:// and unix://", writeServer)
	errForeign    = fault("has the scheme of another program", "write "+either)
	errList       = fault("has several hosts before its path", "write the other hosts as parameters, like "+either)
	errIPv6       = fault("has an IPv6 address without a port", "write redis://[::1]:6379/0")
	errSocket     = fault("names no socket", "write unix:///path, with three slashes")
	errDatabase   = fault("has a path that is not the number of a database", writeServer+", and "+encode)
	errParameters = fault("has a parameter, or the value of one, that is not understood",
		writeServer+"; after '?' there may be options of go-redis, cluster=true and addr=host:port")

	errQuery = fault("has parameters that cannot be told apart", "write '&' between them, and percent-encode the special characters in their values")

	errCluster = fault("asks for a cluster in a form that is not valid", "write "+cluster+", with database 0, which is a cluster's only one")
	errFurther = fault("has further addresses, but says neither cluster nor master_name", "write "+either)

	errBoth               = fault("asks for a cluster and for Sentinels at once", "leave out cluster or master_name")
	errSentinelSocket     = fault("names a socket and a master_name, but Sentinels are asked over TCP", "write "+sentinel)
	errMasterName         = fault("has a master_name that is not valid for a Sentinel", "write the name in sentinel.conf, like "+sentinel)
	errSentinelPort       = fault("names a Sentinel without its port, which is usually 26379", "write "+sentinel)
	errSentinelAddress    = fault("has an addr that is not host:port", "write "+sentinel)
	errSentinelParameters = fault("has a parameter, or the value of one, that is not understood",
		"write "+sentinel+"; user name and password before the host are the Sentinels', the parameter username and LIVEKIT_REDIS_PASSWORD are Redis'")
	errReplicas = fault("asks for a replica, to which nothing can be written", "leave out replica_only, route_by_latency and route_randomly")
)
