package main

import (
	"context"
	"io"
	"os"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor"
)

// diagnose runs the doctor.
func diagnose(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return doctor.Command(ctx, args, config.Inspect, doctor.NewLook(buildVersion()), os.Stdin, stdout, stderr)
}
