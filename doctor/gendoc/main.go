// Command gendoc writes docs/troubleshooting.md from doctor's table of causes. It
// also writes the compressed script from which the page of the connection test
// takes its verdicts.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"

	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/verdicts"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gendoc TROUBLESHOOTING VERDICTS.GZ")
		os.Exit(2)
	}
	err := os.WriteFile(os.Args[1], []byte(causes.Troubleshooting()), 0o644)
	if err == nil {
		err = compress(os.Args[2], verdicts.Module())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}

func compress(path, text string) error {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
