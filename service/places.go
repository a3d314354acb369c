package service

// MaxConnections bounds how many connections of clients are open at a time.
const MaxConnections = 2048

// maxScrapers bounds how many connections of programs that read metrics are
// open at a time.
const maxScrapers = 32

// maxReserve is how many of the allowed files are reserved for everything
// except clients: the store, the log, homeservers, the SFU, Redis, name
// servers, and metrics.
const maxReserve = 512

// places are how many connections are allowed at a time.
type places struct{ clients, scrapers int }

// placesFor divides a limit of open files between clients, scrapers and the
// reserve. The reserve is at most half of the files. So clients have 512
// connections if 1024 files may be open, and MaxConnections from 2560 files on.
func placesFor(files int) places {
	reserve := min(maxReserve, files/2)
	return places{
		clients:  max(1, min(MaxConnections, files-reserve)),
		scrapers: max(1, min(maxScrapers, reserve/16)),
	}
}
