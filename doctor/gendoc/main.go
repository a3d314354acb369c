// Command gendoc writes docs/troubleshooting.md from doctor's table of causes.
package main

import (
	"fmt"
	"os"

	"matrixrtc-auth/doctor"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendoc FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(doctor.Troubleshooting()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}
