package setup

import (
	"bytes"
	"fmt"

	"matrixrtc-auth/appservice"
	"matrixrtc-auth/internal/secret"
)

// chooseRegistration returns the registration of the application-service mode.
// It keeps the names and tokens of the one in the folder. It makes new tokens
// if there is none, or for --new-secrets. Without that mode it returns a zero
// one.
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
		return r, fmt.Errorf("%s is gone, and with it the tokens that the homeserver has: put it back, or --new-secrets draws new ones", registrationFile)
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
		return r, fmt.Errorf("%s lacks its end or a token: put it back whole (if it is whole, end its last line), or --new-secrets --force draws new tokens", registrationFile)
	case err != nil:
		return r, fmt.Errorf("%s: %w: correct it, or move it away; new tokens are drawn then, and the homeserver needs the new file", registrationFile, err)
	}
	return r.KeepTokens(old), nil
}
