package setup

import (
	"bytes"
	"fmt"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/secret"
)

// chooseRegistration returns the registration of the application-service mode;
// zero without this mode. The registration is only for the homeserver of the
// first --server-name.
//
// The names and tokens come from the folder's registration file. If there never
// was one, they come from the registration file of the old deployment. Without
// an old deployment, setup makes new ones.
//
// With --new-secrets, setup always makes new tokens. Without --new-secrets,
// chooseRegistration returns an error if the folder's file is lost or damaged.
func (p plan) chooseRegistration(dir *folder) (r appservice.Registration, err error) {
	if p.AppServiceURL == "" {
		return r, nil
	}
	r = appservice.New(appservice.Wish{Server: p.Server, URL: p.AppServiceURL})
	content, found, err := dir.read(registrationFile)
	switch {
	case err != nil:
		return r, err
	case !found && !p.newSecrets && p.before != nil && p.before.AppServiceURL != "":
		return r, fmt.Errorf("%s is gone, and it had the tokens that the homeserver knows: put the file back, or make new tokens with --new-secrets", registrationFile)
	case !found && p.newSecrets:
		return r, nil
	case !found:
		return p.over.registration(r)
	}
	old, err := appservice.Parse(content)
	switch {
	case p.newSecrets && err != nil:
		return r, nil
	case p.newSecrets:
		old.ASToken, old.HSToken = secret.Text{}, secret.Text{}
	case err == nil && (!bytes.HasSuffix(content, []byte("\n")) || old.ASToken.Reveal() == "" || old.HSToken.Reveal() == ""):
		return r, fmt.Errorf("%s is incomplete: a token is missing, or the last line has no line break: restore the file, or add the line break, or make new tokens with --new-secrets --force", registrationFile)
	case err != nil:
		return r, fmt.Errorf("%s: %w: correct the file; or move it away, so that setup makes new tokens, and give the homeserver the new file", registrationFile, err)
	}
	return r.KeepTokens(old), nil
}
