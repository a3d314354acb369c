package service

// MaxConnections bounds how many connections of clients can be open at a time.
const MaxConnections = 2048

// maxScrapers bounds how many connections of programs that read metrics can be
// open at a time.
const maxScrapers = 32

// maxReserve is how many open files clients cannot use. They are reserved for
// the store, the log, homeservers, the SFU, Redis, name servers, and metrics.
const maxReserve = 512

// places says how many connections can be open at a time.
type places struct{ clients, scrapers int }

// placesFor divides a limit of open files between clients, scrapers and the
// reserve. The reserve is at most half of the files. With 1024 files, clients
// get 512 connections. From 2560 files on, they get MaxConnections.
func placesFor(files int) places {
	reserve := min(maxReserve, files/2)
	return places{
		clients:  max(1, min(MaxConnections, files-reserve)),
		scrapers: max(1, min(maxScrapers, reserve/16)),
	}
}
