package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"matrixrtc-auth/matrix/matrixtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"matrixrtc-auth": main})
}

// TestScripts runs the scripts in testdata/script against the real program. The
// program is the test's own binary, in a separate process. The functions whose
// names begin with cmd implement the script commands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"homeserver": cmdHomeserver,
			"openid":     cmdOpenID,
			"sfu":        cmdSFU,
			"serve":      cmdServe,
			"signal":     cmdSignal,
			"exited":     cmdExited,
			"await":      cmdAwait,
			"logged":     cmdLogged,
			"http":       cmdHTTP,
			"answer":     cmdAnswer,
			"raw":        cmdRaw,
			"jwt":        cmdJWT,
			"repeat":     cmdRepeat,
			"listen":     cmdListen,
			"blank":      cmdBlank,
			"metrics":    cmdMetrics,

			"registration": cmdRegistration,
			"account":      cmdAccount,
			"member":       cmdMember,
			"through":      cmdThrough,
			"owned":        cmdOwned,

			"delayed":     cmdDelayed,
			"participant": cmdParticipant,
			"connect":     cmdConnect,
			"webhook":     cmdWebhook,
			"statustoken": cmdStatusToken,
		},
	})
}

// setUp gives a script a complete configuration, except for a homeserver.
func setUp(env *testscript.Env) error {
	l := &lab{ca: matrixtest.NewCA(), homeservers: map[string]*matrixtest.Server{}}
	env.Values[labKey{}] = l
	env.Defer(l.close)
	for name, value := range map[string]string{
		"LIVEKIT_URL":      "ws://127.0.0.1:9",
		"LIVEKIT_KEY":      scriptKey.ID,
		"LIVEKIT_SECRET":   scriptKey.Secret.Reveal(),
		"LIVEKIT_CA_FILE":  filepath.Join(env.WorkDir, "ca.pem"),
		"LIVEKIT_JWT_BIND": "127.0.0.1:0",
		"LIVEKIT_STORE":    "memory", // makes the scripts independent of what this machine has at /data

		"LIVEKIT_FULL_ACCESS_HOMESERVERS": "example.org",
	} {
		env.Setenv(name, value)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(env.WorkDir, "ca.pem"), l.ca.PEM(), 0o600),
		os.WriteFile(filepath.Join(env.WorkDir, "other-ca.pem"), matrixtest.NewCA().PEM(), 0o600),
	)
}
