package matrix

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"matrixrtc-auth/internal/inquiry"
	"matrixrtc-auth/internal/outbound"
	"matrixrtc-auth/internal/text"
	"matrixrtc-auth/internal/timing"
)

// discover does steps 3 to 6 of discovery for server: the well-known document,
// then SRV records, then port 8448. If the document names another server,
// discover does not fetch the well-known document of that server. old is the
// result of the previous discovery. Every error is an *[inquiry.BusyError], and
// means that discover learned nothing about the server.
func (r *Resolver) discover(ctx context.Context, c *class, server ServerName, old *found) (*found, error) {
	f := *old
	f.doubted = false
	if !time.Now().Before(old.validTo) {
		var err error
		if f, err = r.delegation(ctx, c, server, f); err != nil {
			return nil, err
		}
	}
	target := server
	if !f.delegated.IsZero() {
		target = f.delegated
	}
	located, err := r.locate(ctx, target)
	if outbound.IsNoFile(err) {
		return nil, errNoFile
	}
	if err != nil && old.destination.Host == located.Host {
		located = old.destination // the old destination is more likely to be right than a guess
	} else if !f.delegated.IsZero() {
		located.FoundBy = located.FoundBy.delegated()
	}
	f.destination, f.at = located, time.Now()
	f.destination.Note, f.destination.Gap = f.note, f.gap
	switch {
	case err != nil:
		f.destination.Gap = cmp.Or(f.gap, GapSRV)
		f.destination.Note = text.Clip(join(f.note, "SRV of "+target.String()+": "+note(err)), maxNote)
		f.expires = f.at.Add(c.failureRetry)
	case f.open:
		f.expires = f.at.Add(c.failureRetry)
	default:
		f.expires = timing.Earlier(f.validTo, f.at.Add(locateLifetime))
	}
	return &f, nil
}

// errNoFile says that this process sent no query, because it could not open a
// socket: it has too many open files.
var errNoFile = &inquiry.BusyError{Err: fmt.Errorf("finding the server: %w", syscall.EMFILE)}

// delegation fetches the server's well-known document. If it gets no document,
// and no definite answer that there is none, it uses the last good document.
// This document may be up to 48 h old. delegation returns an error only if there
// is no such document and this process could not send the request. The error is
// an *[inquiry.BusyError].
func (r *Resolver) delegation(ctx context.Context, c *class, server ServerName, old found) (found, error) {
	delegated, lifetime, err := fetchWellKnown(ctx, c.wellKnown, server.Host())
	now := time.Now()
	if err == nil {
		return found{delegated: delegated, fetched: now, validTo: now.Add(lifetime)}, nil
	}
	why := text.Clip("well-known of "+server.String()+": "+note(err), maxNote)
	if definite, ok := errors.AsType[errNoWellKnown](err); ok {
		n := old.absent + 1
		return found{absent: n, validTo: now.Add(absentRetry(n)), gap: definite.gap, note: why}, nil
	}
	if now.Before(old.fetched.Add(maxWellKnown)) {
		old.open, old.kept, old.gap, old.note = true, true, GapUnread, why
		return old, nil
	}
	if outbound.IsNoFile(err) {
		return found{}, errNoFile
	}
	if crowded, ok := errors.AsType[*outbound.CrowdedError](err); ok {
		return found{}, &inquiry.BusyError{Err: errors.New(crowded.Error())}
	}
	return found{absent: old.absent, open: true, gap: GapUnread, note: why}, nil
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// locate finds the addresses of target by steps 3.1 to 3.5, or 4 to 6, of
// discovery. It looks for SRV records of _matrix-fed._tcp, then of
// _matrix._tcp. Without these records, the port is 8448. If DNS does not say
// whether there are records, locate returns an error, together with a
// destination whose addresses are only a guess.
func (r *Resolver) locate(ctx context.Context, target ServerName) (Destination, error) {
	d := direct(target)
	if isExplicit(target) {
		return d, nil
	}
	d.FoundBy = FoundByDefault
	for _, service := range []string{"matrix-fed", "matrix"} {
		addrs, err := r.lookupSRV(ctx, service, target.Host())
		if err != nil {
			return d, err
		}
		if len(addrs) > 0 {
			d.Addrs, d.FoundBy = addrs, FoundBySRV
			return d, nil
		}
	}
	return d, nil
}

// delegated says how a destination was found if the server delegates to another
// server name. f says how the destination of this other name was found. The
// result adds that the well-known document was used.
func (f FoundBy) delegated() FoundBy {
	if f == FoundBySRV {
		return FoundByWellKnownSRV
	}
	return FoundByWellKnown
}

// lookupSRV returns the targets of the first maxTargets SRV records, or none if
// there is no record. net.Resolver has sorted the records by priority and
// weight. A record with the target "." says that the domain has no such
// service. lookupSRV ignores this record.
func (r *Resolver) lookupSRV(ctx context.Context, service, host string) ([]string, error) {
	var (
		names   outbound.Names
		records []*net.SRV
	)
	err := names.Ask(r.DNS, host, func(dns *net.Resolver) (err error) {
		_, records, err = dns.LookupSRV(ctx, service, "tcp", host)
		return err
	})
	if dns, ok := errors.AsType[*net.DNSError](err); ok && (dns.IsNotFound || len(records) > 0) {
		err = nil // there is no record, or some records are malformed
	}
	var addrs []string
	for _, record := range records {
		if name := strings.TrimSuffix(record.Target, "."); name != "" && len(addrs) < maxTargets {
			addrs = append(addrs, net.JoinHostPort(name, strconv.Itoa(int(record.Port))))
		}
	}
	return addrs, err
}
