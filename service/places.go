package service

// MaxConnections is how many connections clients can have open at the same
// time.
const MaxConnections = 2048

// maxScrapers is how many connections can be open at the same time for programs
// that read the metrics.
const maxScrapers = 32

// maxReserve is the largest number of open files that clients do not get. They
// are for the store, the log, homeservers, the SFU, Redis, name servers, and
// metrics.
const maxReserve = 512

// places says how many connections clients and programs that read the metrics
// can have open at the same time.
type places struct{ clients, scrapers int }

// placesFor divides the files that this process may open between clients and a
// reserve (see maxReserve), which is at most half of the files. Connections of
// programs that read the metrics are a part of the reserve. If files is 1024,
// clients get 512 connections. If files is 2560 (MaxConnections + maxReserve) or
// more, they get MaxConnections.
func placesFor(files int) places {
	reserve := min(maxReserve, files/2)
	return places{
		clients:  max(1, min(MaxConnections, files-reserve)),
		scrapers: max(1, min(maxScrapers, reserve/16)),
	}
}
