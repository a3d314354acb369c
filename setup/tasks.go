package setup

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// tasks returns the tasks that remain, in order: the service must run before
// the homeserver and the well-known file announce it to clients. running means
// that containers may already run with older files.
func (p plan) tasks(u *update, running bool) []task {
	return slices.Concat(
		u.fileTasks(),
		p.takenTasks(),
		p.imageTasks(),
		p.networkTasks(),
		p.startTasks(running),
		p.reachTasks(),
		p.homeserverTasks(),
		p.wellKnownTasks(),
		p.doctorTasks(),
		p.phoneTasks(),
	)
}

// fileTasks returns tasks about files that both a person and setup have
// changed.
func (u *update) fileTasks() (tasks []task) {
	for _, s := range u.steps {
		beside := s.name + newSuffix
		gone := fmt.Sprintf("`ls %s` finds no such file any more.", beside)
		switch {
		case s.outcome == kept:
			tasks = append(tasks, task{
				do:       fmt.Sprintf("You edited %s, and setup has something new for it: take over what you want from %s, then remove that.", s.name, beside),
				commands: []string{fmt.Sprintf("diff %s %s", s.name, beside)},
				differs:  s.news(), check: gone,
			})
		case s.leftover:
			tasks = append(tasks, task{
				do:    fmt.Sprintf("You edited %s, which no run of setup needs any more: take over what you want into %s, then remove it.", beside, s.name),
				check: gone,
			})
		}
		tasks = append(tasks, s.conflictTasks()...)
		if s.closed != 0 {
			tasks = append(tasks, task{
				do:    fmt.Sprintf("Let the service's container read %[1]s: `chmod 644 %[1]s`, when no secret is in it.", s.name),
				check: fmt.Sprintf("`ls -l %s` begins with -rw-r--r--.", s.name),
			})
		}
	}
	return tasks
}

// conflictTasks returns a task for each value in .env that both a person and
// the answers have changed.
func (s step) conflictTasks() (tasks []task) {
	values, _ := parseEnv(s.content) // the error is nil, because setup made the content
	for _, name := range s.result.conflicts {
		tasks = append(tasks, task{
			do: fmt.Sprintf("You changed %s in %s, and the answers now make it %q: write that, or run setup at a terminal, which asks and keeps yours.",
				name, s.name, values[name]),
			check: "`setup --dir FOLDER --yes` does not name it any more.",
		})
	}
	return tasks
}

// imageTasks returns the tasks that bring the image to the machine; none if
// Docker pulls or builds it.
func (p plan) imageTasks() []task {
	if p.Image != "" || p.Build != "" || p.ImageArch != "" {
		return nil
	}
	file := p.imageName("amd64")
	return []task{{
		do:       "Make the image and bring it there. On a PC with Go, in the source of this program (-arch arm64 or armv7 for a machine with that processor):",
		commands: []string{"go run -C image . -arch amd64"},
		then: fmt.Sprintf("It writes build/%[1]s. With Docker and no Go: `docker build --platform linux/amd64 -t %[2]s .` there (or linux/arm64, linux/arm/v7), and `docker save -o %[1]s %[2]s`. "+
			"Take the file to the machine: Container Manager → Image → Action → Import → Add from file, or `docker load -i %[1]s` where it lies.", file, p.templateImage),
		check: p.imageCheck(),
	}}
}

func (p plan) imageCheck() string {
	return fmt.Sprintf("the list of images shows %s, and so does `docker image ls`.", p.templateImage)
}

// networkTasks returns the tasks that make this machine reachable for clients.
func (p plan) networkTasks() []task {
	names, certificates := p.names(), "a certificate for it"
	if len(names) > 1 {
		certificates = "a certificate for each name"
	}
	first := p.Hosts()[0]
	and := ""
	if len(p.Hosts()) > 1 {
		and = fmt.Sprintf(", and neither does `curl -i %s`", p.SFUURL())
	}
	replaced := ""
	if p.takenPage != "" {
		replaced = " What it has for the same name or path goes: nginx refuses a second location of one path, and without the headers of the new one clients can forge their address."
	}
	tasks := []task{
		{
			do:    fmt.Sprintf("Let DNS lead %s to this network, and get %s.", strings.Join(names, " and "), certificates),
			check: fmt.Sprintf("`nslookup %s` answers with your public address; so it does for each name.", first),
		},
		{
			do:    "Set up the router (ports.md).",
			check: fmt.Sprintf("from another network, `nc -vz %s 443` connects; port 7881 does once the containers run.", p.MediaHost()),
		},
		{
			do:    "Set up the reverse proxy (reverse-proxy.md)." + replaced,
			check: fmt.Sprintf("`curl -i %s` complains about no certificate%s. As long as no container runs, the answer is the proxy's own error, mostly 502: that is right. (Traefik has route and certificate from the containers: with it, ask once they run.)", p.JWTURL(), and),
		},
	}
	if p.TURNTLS != "" {
		tasks = append(tasks, task{
			do:    fmt.Sprintf("Let port 443 of %s, as the internet sees it, reach port %d there. DSM has port 443 of its own address: it takes a second address, or a proxy that splits by name (ports.md).", p.TURNTLS, turnTLSPort),
			check: fmt.Sprintf("once the containers run, `openssl s_client -connect %[1]s:443 -servername %[1]s </dev/null` shows a certificate of this name.", p.TURNTLS),
		})
	}
	return tasks
}

// startTasks returns the tasks that start the containers.
func (p plan) startTasks(running bool) []task {
	upload := task{
		do:    fmt.Sprintf("Upload the folder %s, .env too.", filepath.Base(p.absoluteDir())),
		check: "in the folder there, `ls -A` shows .env.",
	}
	if p.AppServiceURL != "" {
		upload = task{
			do:       strings.TrimSuffix(upload.do, ".") + ", and let the service's container read the registration, which holds two secrets. There:",
			commands: []string{"sudo chgrp 65532 " + registrationFile, "sudo chmod 640 " + registrationFile},
			check:    fmt.Sprintf("in the folder there, `ls -lA` shows .env, and %s with the group 65532.", registrationFile),
		}
	}
	tasks := []task{upload}
	if p.ImageArch != "" {
		tasks = append(tasks, task{
			do:    fmt.Sprintf("Load the image, which lies in the folder: Container Manager → Image → Action → Import → Add from file, or in the folder there: `docker load -i %s`", p.imageName(p.ImageArch)),
			check: p.imageCheck(),
		})
	}
	start := task{
		do:    fmt.Sprintf("Build the project in Container Manager, under the name %s of the folder (with another one the commands below find nothing), or in the folder there: `docker compose up -d`", filepath.Base(p.absoluteDir())),
		check: fmt.Sprintf("`curl -i %s/healthz` answers 200, and `curl %s` says OK.", p.JWTURL(), p.SFUURL()),
	}
	if running {
		start.then = "If it runs already: Action → Stop, then Action → Build, for running containers learn of no change by themselves; or there: `docker compose up -d --force-recreate`"
	}
	return slices.Concat(tasks, p.stopTasks(), []task{start})
}

// reachTasks returns the tasks that make the homeserver reachable for the
// service.
func (p plan) reachTasks() []task {
	return []task{{
		do:       "See whether the service reaches the homeserver, in the folder there:",
		commands: []string{"docker compose exec matrixrtc-auth /matrixrtc-auth doctor --only homeserver.userinfo"},
		then:     "If not: many routers do not lead their own address back inside. Run setup again with the homeserver's address from inside, like `setup --dir FOLDER --homeserver-url http://host.docker.internal:8008`, upload the folder, and start the project anew. (docs/synology.md#when-the-service-cannot-reach-synapse finds the address.)",
		check:    "it prints no line with ✗.",
	}}
}

// homeserverTasks returns the tasks by which the homeserver announces this
// service to clients.
func (p plan) homeserverTasks() []task {
	if p.AppServiceURL == "" {
		var list []task
		for _, server := range p.Servers {
			do := "Add homeserver-additions.yaml to homeserver.yaml, and restart the homeserver."
			if len(p.Servers) > 1 {
				do = fmt.Sprintf("Add homeserver-additions.yaml to homeserver.yaml of %s, and restart that homeserver.", server)
			}
			list = append(list, task{do: do, check: fmt.Sprintf("`curl -s %s/_matrix/client/versions` holds \"org.matrix.msc4140\":true.", p.BaseURLs[server])})
		}
		return list
	}
	return []task{
		{
			do:    fmt.Sprintf("Copy %s to the homeserver, where its user can read it, and add homeserver-additions.yaml to homeserver.yaml, without the line \"url:\" and with the path of the copy. Restart the homeserver.", registrationFile),
			check: "`docker compose logs matrixrtc-auth` says \"application service: ready\", or names what is missing.",
		},
		{
			do:    "When it is ready, add the line \"url:\", and restart the homeserver once more. Now newer clients ask the homeserver.",
			check: fmt.Sprintf("`curl -s %s/_matrix/client/versions` answers, and holds \"org.matrix.msc4140\":true.", p.BaseURLs[p.Server]),
		},
	}
}

// wellKnownTasks returns the tasks by which the well-known files announce this
// service to older clients.
func (p plan) wellKnownTasks() (list []task) {
	for _, w := range p.wellKnowns() {
		address := fmt.Sprintf("https://%s/.well-known/matrix/client", w.server.Host())
		list = append(list, task{
			do:    fmt.Sprintf("Serve %s as %s. If it serves a file there already, add what this one has to that, and leave the rest.", w.file, address),
			check: fmt.Sprintf("`curl -i %s` shows the file, application/json, and Access-Control-Allow-Origin once.", address),
		})
	}
	return list
}

// doctorTasks returns the tasks that check the deployment with doctor.
func (p plan) doctorTasks() []task {
	outside := fmt.Sprintf("doctor --outside --server-name %s", strings.ReplaceAll(withCommas(p.Servers), ",", " --server-name "))
	if !p.isBesideService() {
		outside += " --sfu-url " + p.LiveKitURL()
	}
	return []task{{
		do:       "Run doctor, in the folder there (over SSH, with sudo; or in Container Manager: Container, matrixrtc-auth, Terminal, Create with the command /matrixrtc-auth doctor), and then on a PC outside of your network, in the source of this program:",
		commands: []string{"docker compose exec matrixrtc-auth /matrixrtc-auth doctor", "go run . " + outside},
		then:     fmt.Sprintf("With Docker and no Go, the second is `docker run --rm %s %s`", cmp.Or(p.Image, p.templateImage), outside),
		check:    "neither prints a line with ✗, and both end with exit code 0. A line with ! is a hint.",
	}}
}

// isBesideService reports whether doctor can guess LiveKit's public URL from
// the service's: the host names differ only in jwt and sfu, or both programs
// share a host name.
func (p plan) isBesideService() bool {
	label, domain, _ := strings.Cut(p.JWTHost, ".")
	return p.SingleHost != "" || strings.Contains(label, "jwt") && strings.Replace(label, "jwt", "sfu", 1)+"."+domain == p.SFUHost
}

// names returns all host names under which clients reach the deployment.
func (p plan) names() []string {
	if p.TURNTLS == "" {
		return p.Hosts()
	}
	return append(p.Hosts(), p.TURNTLS)
}

func (p plan) absoluteDir() string {
	if dir, err := filepath.Abs(p.Dir); err == nil {
		return dir
	}
	return p.Dir
}

// phoneTasks returns the tasks that test the way between a phone and this
// deployment, which doctor cannot see.
func (p plan) phoneTasks() []task {
	return []task{{
		do:       "Test the way to a phone, in the folder there. Scan the code with a phone on mobile data, and tap Start:",
		commands: []string{"docker compose exec matrixrtc-auth /matrixrtc-auth test-link --public-url " + p.JWTURL()},
		check:    "the phone says that calls will work there, or what to mend.",
	}}
}
