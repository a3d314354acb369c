package doctor

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor/instruments"
)

// Look is the only way in which a check reaches the network and the files of
// this machine.
type Look struct {
	*instruments.Network

	// Config is the valid part of the service's configuration. Warnings and
	// Fault come from [config.Inspect].
	Config   config.Config
	Warnings []config.Warning
	Fault    error

	// ReadFile reads a local file of up to maxFile bytes.
	ReadFile func(name string) ([]byte, error)
	// Stat returns the mode and other properties of a local file.
	Stat func(name string) (fs.FileInfo, error)
	// Group is the id of this process's group.
	Group int
	// Version is this program's version.
	Version string
}

// NewLook returns a Look at this machine and its network.
func NewLook(version string) *Look {
	return &Look{Network: instruments.New(), ReadFile: readFile, Stat: os.Stat, Group: os.Getgid(), Version: version}
}

// maxFile bounds the bytes of a file that doctor reads.
const maxFile = 1 << 20

// readFile reads a whole file. It returns an error if the file is longer than
// maxFile.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		return nil, fmt.Errorf("the file is longer than %d bytes", maxFile)
	}
	return text, err
}
