package config

import (
	"log/slog"
	"strconv"
	"strings"
	"time"
)

func (j *judge) boolean(v value) bool {
	yes, ok := parseBool(v.get())
	if !ok {
		j.fault(v, "%s is neither true nor false; write one of the two", shown(v.get()))
	}
	return yes
}

func parseBool(text string) (yes, ok bool) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off":
		return false, true
	}
	return false, false
}

func (j *judge) tokenTTL(v value) time.Duration {
	return j.duration(v, time.Minute, 24*time.Hour, "5m, 1h")
}

func (j *judge) openIDTimeout(v value) time.Duration {
	return j.duration(v, time.Second, 20*time.Second, "5s, 10s")
}

func (j *judge) shutdownDelay(v value) time.Duration {
	return j.duration(v, 0, 5*time.Minute, "15s, 2m")
}

// duration parses a duration like 90s or 1h. A duration that is shorter than
// lowest or longer than highest is a fault, with which the service does not
// start.
func (j *judge) duration(v value, lowest, highest time.Duration, examples string) time.Duration {
	d, err := time.ParseDuration(v.get())
	if err != nil || d < lowest || d > highest {
		j.fault(v, "%s is not a duration from %s to %s; write one like %s", shown(v.get()), short(lowest), short(highest), examples)
		return 0
	}
	return d
}

// short returns the text of d without zero units at its end: "1h", not
// "1h0m0s".
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// usualBurst is the Burst of a rate limit that names no burst. A client that
// joins a call sends several requests without a pause.
const usualBurst = 30

func (j *judge) rateLimit(v value) RateLimit {
	text := strings.ToLower(strings.ReplaceAll(v.get(), " ", ""))
	if text == "off" {
		return RateLimit{}
	}
	limit, ok := parseRateLimit(text)
	if !ok {
		j.fault(v, "%s is not a rate limit; write 60/min or 60/min,burst=30 (numbers from 1 to 1000000), or off", shown(v.get()))
	}
	return limit
}

// parseRateLimit parses a limit in the form N/min or N/min,burst=M.
func parseRateLimit(text string) (RateLimit, bool) {
	rate, burst, hasBurst := strings.Cut(text, ",")
	rate, isRate := strings.CutSuffix(rate, "/min")
	limit := RateLimit{PerMinute: count(rate), Burst: usualBurst}
	if hasBurst {
		number, isBurst := strings.CutPrefix(burst, "burst=")
		limit.Burst, isRate = count(number), isRate && isBurst
	}
	if !isRate || limit.PerMinute == 0 || limit.Burst == 0 {
		return RateLimit{}, false
	}
	return limit, true
}

// count returns the number in text if it is from 1 to 1000000, and otherwise 0.
func count(text string) int {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > 1_000_000 {
		return 0
	}
	return int(n)
}

// logLevel parses LIVEKIT_LOG_LEVEL. With an invalid level it warns, and returns
// info.
func (j *judge) logLevel(v value) slog.Level {
	switch strings.ToLower(v.get()) {
	case "debug":
		return slog.LevelDebug
	case "warn", "warning":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	case "info":
	default:
		j.warn(v, UnknownValue, "%s is not a log level, so info is used; write debug, info, warn or error", shown(v.get()))
	}
	return slog.LevelInfo
}

func (j *judge) logJSON(v value) bool {
	switch strings.ToLower(v.get()) {
	case "json":
		return true
	case "text":
	default:
		j.warn(v, UnknownValue, "%s is not a log format, so text is used; write text or json", shown(v.get()))
	}
	return false
}

// dangerousConsent is the only value with which the service does not check
// homeservers' certificates.
const dangerousConsent = "YES_I_KNOW_WHAT_I_AM_DOING"

// skipVerifyTLS reports whether v switches off the check of homeservers'
// certificates. Only the text dangerousConsent does so. Other values, like "true" and
// "1", have no effect. skipVerifyTLS warns of every value that is set.
func (j *judge) skipVerifyTLS(v value) bool {
	switch {
	case v.get() == dangerousConsent:
		j.warn(v, Unverified, "the service does not check homeservers' certificates: whoever can redirect a connection can pretend to be any user; remove this variable; LIVEKIT_CA_FILE adds the certificate of a private authority")
		return true
	case v.isSet():
		j.warn(v, UnknownValue, "this value is ignored, and certificates are checked; only the value %s switches the check off", dangerousConsent)
	}
	return false
}
