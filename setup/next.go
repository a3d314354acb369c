package setup

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// nextSteps says what is left for a person to do after the update.
func (p plan) nextSteps(w io.Writer, u *update, made *image) {
	if made.outcome == unchanged && !u.changes() {
		fmt.Fprintf(w, "\nNothing has changed.\n")
	}
	fmt.Fprintf(w, "\nWhat is left to do:\n")
	var steps []string
	if p.AppServiceURL == "" {
		steps = append(steps, "Add homeserver-additions.yaml to homeserver.yaml, and restart the homeserver.")
	}
	steps = append(steps,
		fmt.Sprintf("Serve well-known-client.json as https://%s/.well-known/matrix/client.", p.Server.Host()),
		fmt.Sprintf("Let DNS lead %s to this network, and get a certificate for each name.", strings.Join(p.names(), " and ")),
		"Set up the reverse proxy (reverse-proxy.md) and the router (ports.md).",
	)
	if p.TURNTLS != "" {
		steps = append(steps, fmt.Sprintf("Let port 443 of %s, as the internet sees it, reach port %d there. DSM has port 443 of\n     its own address: it takes a second address, or a proxy that splits by name (ports.md).", p.TURNTLS, turnTLSPort))
	}
	steps = append(steps, p.imageSteps()...)
	steps = append(steps, p.startSteps()...)
	if made.outcome == updated || u.changesOld() {
		steps = append(steps, "If it runs already: Action → Stop, then Action → Build, for running containers learn of no\n     change by themselves; or there: docker compose up -d --force-recreate")
	}
	steps = append(steps, p.homeserverSteps()...)
	for i, step := range steps {
		fmt.Fprintf(w, "  %d. %s\n", i+1, step)
	}
}

// startSteps start the containers.
func (p plan) startSteps() []string {
	folder := filepath.Base(p.absoluteDir())
	if p.AppServiceURL == "" && p.ImageArch == "" {
		return []string{fmt.Sprintf("Upload the folder %s, .env too, and build the project in Container Manager,\n     or there: docker compose up -d", folder)}
	}
	steps := []string{fmt.Sprintf("Upload the folder %s, .env too.", folder)}
	if p.AppServiceURL != "" {
		steps[0] = fmt.Sprintf(`Upload the folder %s, .env too, and let the service's container read the
     registration, which holds two secrets. There:
       sudo chgrp 65532 %[2]s
       sudo chmod 640 %[2]s`, folder, registrationFile)
	}
	if p.ImageArch != "" {
		steps = append(steps, p.loadStep())
	}
	return append(steps, "Build the project in Container Manager, or there: docker compose up -d")
}

// loadStep loads the image that lies in the folder.
func (p plan) loadStep() string {
	return fmt.Sprintf(`Load the image, which lies in the folder: Container Manager → Image → Action →
     Import → Add from file, or in the folder there: docker load -i %s
     It has arrived when the list of images shows %s.`, p.imageName(p.ImageArch), p.templateImage)
}

// homeserverSteps follow when the service runs: the homeserver announces to
// clients what answers already.
func (p plan) homeserverSteps() []string {
	if p.AppServiceURL == "" {
		return nil
	}
	return []string{
		fmt.Sprintf(`When the service runs: copy %s to the homeserver, where its
     user can read it, and add homeserver-additions.yaml to homeserver.yaml, without the
     line "url:" and with the path of the copy. Restart the homeserver. The service's log
     says "application service: ready", or names what is missing.`, registrationFile),
		`When it is ready: add the line "url:", and restart the homeserver once more. Now newer
     clients ask the homeserver.`,
	}
}

// names are all names that clients are told.
func (p plan) names() []string {
	if p.TURNTLS == "" {
		return p.Hosts()
	}
	return append(p.Hosts(), p.TURNTLS)
}

// imageSteps say how the image gets to the machine, when nothing else does.
func (p plan) imageSteps() []string {
	if p.Image != "" || p.Build != "" || p.ImageArch != "" {
		return nil
	}
	return []string{fmt.Sprintf(`Bring the image there. On a PC with Go, in the source of this program
     (-arch arm64 or armv7 for a machine with that processor):
       go run -C image . -arch amd64
     It writes %[1]s. Then Container Manager → Image → Action →
     Import → Add from file, or there: docker load -i %[1]s`, "build/"+p.imageName("amd64"))}
}

func (p plan) absoluteDir() string {
	if dir, err := filepath.Abs(p.Dir); err == nil {
		return dir
	}
	return p.Dir
}
