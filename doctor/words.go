package doctor

import (
	"matrixrtc-auth/doctor/causes"
	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
)

// The functions below are short names for those of other packages.

// ok returns the finding of a check that found no fault.
func ok(format string, args ...any) engine.Finding { return engine.Right(format, args...) }

// na returns the finding of a check that does not apply or that nobody asked
// for.
func na(format string, args ...any) engine.Finding { return engine.NotLooked(format, args...) }

// found returns the finding of a check that found a cause. The argument cause is
// the cause's id in the table of package causes. That table says whether the cause
// is a fault (Status engine.Fail) or a warning (engine.Warn), and which code
// Element Call shows.
func found(cause string, v engine.Vars, format string, args ...any) engine.Finding {
	return engine.Because(causes.Of(cause), v, format, args...)
}

// reason returns in a few words why something cannot be reached. It does not
// contain the URL.
func reason(err error) string { return instruments.Reason(err) }

// clip returns a text from another server in a form that is safe to show.
func clip(s string) string { return instruments.Clip(s) }
