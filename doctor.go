package main

import (
	"context"
	"io"

	"matrixrtc-auth/config"
	"matrixrtc-auth/doctor"
)

// diagnose runs the doctor.
func diagnose(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return doctor.Command(ctx, args, config.Inspect, doctor.NewLook(buildVersion()), stdin, stdout, stderr)
}
