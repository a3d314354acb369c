package service

import (
	"crypto/x509"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/secret"
	"matrixrtc-auth/membership/ticket"
	"matrixrtc-auth/sfu"
	"matrixrtc-auth/token"
)

// credentials are the secrets and certificates that the service reads from
// files. They are the API keys, the trusted certificates, the password of
// Redis, and the access token of a Matrix account. At SIGHUP the service reads
// these files again. So all other code must ask for a credential each time, and
// must keep no copy.
type credentials struct {
	ttl     time.Duration // how long tokens are valid
	current atomic.Pointer[material]
	// distrust holds functions that the service calls after the trusted
	// certificates have changed. They close idle connections, which were
	// allowed by the old certificates. Connections with a running request stay
	// open until the request ends.
	distrust []func()
}

// material is the content of the files when the service last read them. A
// material value never changes.
type material struct {
	keys          []sfu.Key
	minter        *ticket.Minter
	roots         *config.Roots
	redisPassword secret.Text
	accountToken  secret.Text
}

func newCredentials(cfg *config.Config) *credentials {
	c := &credentials{ttl: cfg.TokenTTL}
	c.current.Store(&material{
		keys: cfg.Keys, minter: ticket.NewMinter(cfg.Keys, cfg.TokenTTL),
		roots: cfg.RootCAs, redisPassword: cfg.Store.RedisPassword, accountToken: accountToken(cfg),
	})
	return c
}

// accountToken returns the access token of the Matrix account that the operator
// has configured, or "" if there is none.
func accountToken(cfg *config.Config) secret.Text {
	if cfg.Account == nil {
		return secret.Text{}
	}
	return cfg.Account.Token
}

// Mint implements [access.Minter].
func (c *credentials) Mint(grant token.Grant, carried ticket.Ticket, now time.Time) string {
	return c.current.Load().minter.Mint(grant, carried, now)
}

// Open implements [guard.Opener].
func (c *credentials) Open(text string, at ticket.Place) (ticket.Ticket, ticket.Place, error) {
	return c.current.Load().minter.Open(text, at)
}

func (c *credentials) keys() []sfu.Key            { return c.current.Load().keys }
func (c *credentials) roots() *x509.CertPool      { return c.current.Load().roots.Pool() }
func (c *credentials) redisPassword() secret.Text { return c.current.Load().redisPassword }
func (c *credentials) accountToken() secret.Text  { return c.current.Load().accountToken }

// These variables name the files that the service reads again at SIGHUP.
var (
	keyVariables      = []string{"LIVEKIT_KEY", "LIVEKIT_SECRET", "LIVEKIT_KEY_FROM_FILE", "LIVEKIT_SECRET_FROM_FILE", "LIVEKIT_KEY_FILE"}
	rootVariables     = []string{"LIVEKIT_CA_FILE"}
	passwordVariables = []string{"LIVEKIT_REDIS_PASSWORD", "LIVEKIT_REDIS_PASSWORD_FROM_FILE"}
	accountVariables  = []string{"LIVEKIT_MEMBERSHIP_TOKEN_FILE"}
)

// renew takes the credentials from cfg, except for credentials with a fault. It
// returns which credentials have changed.
func (c *credentials) renew(cfg *config.Config, faults []config.Fault) (changed []string) {
	next := *c.current.Load()
	if !anyOf(faults, keyVariables) && !slices.EqualFunc(cfg.Keys, next.keys, equalKeys) {
		next.keys, next.minter = cfg.Keys, ticket.NewMinter(cfg.Keys, c.ttl)
		changed = append(changed, "API keys")
	}
	newRoots := !anyOf(faults, rootVariables) && !cfg.RootCAs.Equal(next.roots)
	if newRoots {
		next.roots = cfg.RootCAs
		changed = append(changed, "certificates to trust")
	}
	if !anyOf(faults, passwordVariables) && !cfg.Store.RedisPassword.Equal(next.redisPassword) {
		next.redisPassword = cfg.Store.RedisPassword
		changed = append(changed, "password of Redis")
	}
	if token := accountToken(cfg); !anyOf(faults, accountVariables) && !token.Equal(next.accountToken) {
		next.accountToken = token
		changed = append(changed, "access token of the account")
	}
	c.current.Store(&next)
	if newRoots {
		for _, end := range c.distrust {
			end()
		}
	}
	return changed
}

func equalKeys(a, b sfu.Key) bool { return a.ID == b.ID && a.Secret.Equal(b.Secret) }

func anyOf(faults []config.Fault, variables []string) bool {
	return slices.ContainsFunc(faults, func(f config.Fault) bool { return slices.Contains(variables, f.Variable) })
}

// renewAt reads the credentials again at every SIGHUP, which arrives through the
// channel hangups.
func (c *credentials) renewAt(hangups <-chan os.Signal, log *slog.Logger) {
	for range hangups {
		c.readAnew(log)
	}
}

// readAnew reads the configuration again, and takes the credentials from it. It
// logs which credentials have changed, and which have a fault. A credential with
// a fault keeps its old value.
func (c *credentials) readAnew(log *slog.Logger) {
	cfg, warnings, err := config.Inspect()
	ours := slices.Concat(keyVariables, rootVariables, passwordVariables, accountVariables)
	for _, warning := range warnings {
		if slices.Contains(ours, warning.Variable) {
			log.Warn("configuration", "warning", warning.String())
		}
	}
	faults := config.Faults(err)
	if err != nil && len(faults) == 0 {
		log.Error("SIGHUP: no file was read again", "error", err)
		return
	}
	for _, fault := range faults {
		if slices.Contains(ours, fault.Variable) {
			log.Error("SIGHUP: a file has a fault; its former content stays in use", "fault", fault)
		}
	}
	changed := c.renew(&cfg, faults)
	log.Info("SIGHUP: files were read again", "changed", changed, "keys", config.KeyNames(c.keys()))
}
