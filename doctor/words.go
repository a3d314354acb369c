package doctor

import (
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// The words of which checks make their sentences.

// ok says that all is as it should be.
func ok(format string, args ...any) engine.Finding { return engine.Right(format, args...) }

// na is for what does not apply, or was not asked for.
func na(format string, args ...any) engine.Finding { return engine.NotLooked(format, args...) }

// found is a fault or a doubt, as the table has it.
func found(cause string, v engine.Vars, format string, args ...any) engine.Finding {
	return engine.Because(causeOf(cause), v, format, args...)
}

// reason says in a few words why something cannot be reached; it holds no URL.
func reason(err error) string { return instruments.Reason(err) }

// clip is how a stranger's text is shown.
func clip(s string) string { return instruments.Clip(s) }
