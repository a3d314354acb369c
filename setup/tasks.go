package setup

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// tasks returns the tasks that remain, in the order in which the operator must do
// them. For example, the service must run before the homeserver and the
// well-known file announce it to clients. running means that containers may
// already run with older files.
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
				do:       fmt.Sprintf("You edited %[1]s, and setup has new lines for it. Copy the lines that you want from %[2]s into %[1]s, then remove %[2]s.", s.name, beside),
				commands: []string{fmt.Sprintf("diff %s %s", s.name, beside)},
				differs:  s.news(), check: gone,
			})
		case s.leftover:
			tasks = append(tasks, task{
				do:    fmt.Sprintf("You edited %[1]s, and setup does not need this file any more. Copy what you want from it into %[2]s, then remove %[1]s.", beside, s.name),
				check: gone,
			})
		}
		tasks = append(tasks, s.conflictTasks()...)
		if s.closed != 0 {
			tasks = append(tasks, task{
				do:    fmt.Sprintf("Let the service's container read %[1]s. The file needs no secret, because .env has the key. If the file has none, run `chmod 644 %[1]s`.", s.name),
				check: fmt.Sprintf("`ls -l %s` begins with -rw-r--r--.", s.name),
			})
		}
	}
	return tasks
}

// conflictTasks returns a task for each value in .env that a person has
// changed, and that setup must change because of a new answer.
func (s step) conflictTasks() (tasks []task) {
	values, _ := parseEnv(s.content) // the error is nil, because setup made the content
	for _, name := range s.result.conflicts {
		tasks = append(tasks, task{
			do: fmt.Sprintf("You changed %s in %s, but the answers now give %q. Write that value into the file. Or run setup at a terminal: it asks, and can keep your value.",
				name, s.name, values[name]),
			check: "`setup --dir FOLDER --yes` does not name this variable any more.",
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
		do:       "Make the image on a PC, and copy it to the machine that will run the containers. If the PC has Go, run this in the source of this program (with -arch arm64 or armv7 for a machine with such a processor):",
		commands: []string{"go run -C image . -arch amd64"},
		then: fmt.Sprintf("The command writes build/%[1]s. If the PC has Docker and no Go, run `docker build --platform linux/amd64 -t %[2]s .` in the source (or linux/arm64, linux/arm/v7), and then `docker save -o %[1]s %[2]s`. "+
			"Copy the file to the machine, and load it there: Container Manager → Image → Action → Import → Add from file. Or run `docker load -i %[1]s` in the file's folder.", file, p.templateImage),
		check: p.imageCheck(),
	}}
}

func (p plan) imageCheck() string {
	return fmt.Sprintf("Container Manager's list of images shows %s, and so does `docker image ls`.", p.templateImage)
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
		replaced = " Remove the proxy's old lines for the same name or path. nginx refuses two locations with one path, and without the new lines' headers clients can forge their address."
	}
	tasks := []task{
		{
			do:    fmt.Sprintf("At your DNS provider, point %s to your public address, and get %s.", strings.Join(names, " and "), certificates),
			check: fmt.Sprintf("`nslookup %s` prints your public address. If you have several names, ask for each.", first),
		},
		{
			do:    "Forward the ports in the router, as ports.md says.",
			check: fmt.Sprintf("from another network, `nc -vz %s 443` connects. Port 7881 connects when the containers run.", p.MediaHost()),
		},
		{
			do:    "Set up the reverse proxy, as reverse-proxy.md says." + replaced,
			check: fmt.Sprintf("`curl -i %s` reports no certificate error%s. Until the containers run, the proxy answers with an error of its own, mostly 502. That is expected. (Traefik gets routes and certificates from the containers' labels. With Traefik, check this when the containers run.)", p.JWTURL(), and),
		},
	}
	if p.TURNTLS != "" {
		tasks = append(tasks, task{
			do:    fmt.Sprintf("Forward port 443 of %s, from the internet, to port %d of the machine that runs the containers. DSM uses port 443 of its own address itself. So you need a second address, or a proxy that splits TLS by name (ports.md).", p.TURNTLS, turnTLSPort),
			check: fmt.Sprintf("when the containers run, `openssl s_client -connect %[1]s:443 -servername %[1]s </dev/null` shows a certificate of this name.", p.TURNTLS),
		})
	}
	return tasks
}

// startTasks returns the tasks that start the containers.
func (p plan) startTasks(running bool) []task {
	upload := task{
		do:    fmt.Sprintf("Upload the folder %s, with .env in it, to the machine that runs the containers.", filepath.Base(p.absoluteDir())),
		check: "in the folder on that machine, `ls -A` shows .env.",
	}
	if p.AppServiceURL != "" {
		upload = task{
			do:       upload.do + " Then let the service's container read the registration, which holds two secrets. In the folder there, run:",
			commands: []string{"sudo chgrp 65532 " + registrationFile, "sudo chmod 640 " + registrationFile},
			check:    fmt.Sprintf("in the folder there, `ls -lA` shows .env, and %s with the group 65532.", registrationFile),
		}
	}
	tasks := []task{upload}
	if p.ImageArch != "" {
		tasks = append(tasks, task{
			do:    fmt.Sprintf("Load the image file, which is in the folder: Container Manager → Image → Action → Import → Add from file. Or run `docker load -i %s` in the folder there.", p.imageName(p.ImageArch)),
			check: p.imageCheck(),
		})
	}
	start := task{
		do:    fmt.Sprintf("Start the containers. In Container Manager, build the project under the folder's name, %s (with another name, the commands below find no containers). Or run `docker compose up -d` in the folder there.", filepath.Base(p.absoluteDir())),
		check: fmt.Sprintf("`curl -i %s/healthz` answers 200, and `curl %s` says OK.", p.JWTURL(), p.SFUURL()),
	}
	if running {
		start.then = "If the project runs already, restart it, because running containers do not notice new files: Action → Stop, then Action → Build. Or run `docker compose up -d --force-recreate` in the folder there."
	}
	return slices.Concat(tasks, p.stopTasks(), []task{start})
}

// reachTasks returns the task to check that the service reaches the homeserver.
func (p plan) reachTasks() []task {
	return []task{{
		do:       "Check that the service reaches the homeserver. In the folder there, run:",
		commands: []string{"docker compose exec matrixrtc-auth /matrixrtc-auth doctor --only homeserver.userinfo"},
		then:     "If the service does not reach it: many routers do not lead connections from inside to their public address back inside. Run setup again with the homeserver's address from inside, like `setup --dir FOLDER --homeserver-url http://host.docker.internal:8008`, upload the folder, and restart the project. (docs/synology.md#when-the-service-cannot-reach-synapse says how to find the address.)",
		check:    "the command prints no line with ✗.",
	}}
}

// homeserverTasks returns the tasks that make the homeserver announce this
// service to clients.
func (p plan) homeserverTasks() []task {
	if p.AppServiceURL == "" {
		var list []task
		for _, server := range p.Servers {
			do := "Add the lines of homeserver-additions.yaml to homeserver.yaml, and restart the homeserver."
			if len(p.Servers) > 1 {
				do = fmt.Sprintf("Add the lines of homeserver-additions.yaml to homeserver.yaml of %s, and restart that homeserver.", server)
			}
			list = append(list, task{do: do, check: fmt.Sprintf("`curl -s %s/_matrix/client/versions` prints \"org.matrix.msc4140\":true.", p.BaseURLs[server])})
		}
		return list
	}
	return []task{
		{
			do:    fmt.Sprintf("Copy %s to a place where the homeserver's user can read it. Then add the lines of homeserver-additions.yaml to homeserver.yaml, but leave out the line \"url:\", and write the path of the copy. Restart the homeserver.", registrationFile),
			check: "`docker compose logs matrixrtc-auth` says \"application service: ready\", or names what is missing.",
		},
		{
			do:    "When the log says ready, add the line \"url:\" to homeserver.yaml, and restart the homeserver again. From then on, newer clients ask the homeserver for tokens.",
			check: fmt.Sprintf("`curl -s %s/_matrix/client/versions` prints \"org.matrix.msc4140\":true.", p.BaseURLs[p.Server]),
		},
	}
}

// wellKnownTasks returns the tasks that make the well-known files announce this
// service to older clients.
func (p plan) wellKnownTasks() (list []task) {
	for _, w := range p.wellKnowns() {
		address := fmt.Sprintf("https://%s/.well-known/matrix/client", w.server.Host())
		list = append(list, task{
			do:    fmt.Sprintf("Serve %s at %s. If there is a file at that address already, add the lines of the new file to it, and keep its other lines.", w.file, address),
			check: fmt.Sprintf("`curl -i %s` shows the file, the type application/json, and the header Access-Control-Allow-Origin once.", address),
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
		do:       "Run doctor twice. Run the first command in the folder there (over SSH, with sudo). Or use Container Manager: Container, matrixrtc-auth, Terminal, Create with the command /matrixrtc-auth doctor. Run the second command on a PC outside of your network, in the source of this program:",
		commands: []string{"docker compose exec matrixrtc-auth /matrixrtc-auth doctor", "go run . " + outside},
		then:     fmt.Sprintf("If that PC has Docker and no Go, the second command is `docker run --rm %s %s`", cmp.Or(p.Image, p.templateImage), outside),
		check:    "neither command prints a line with ✗, and both end with exit code 0. A line with ! is a hint.",
	}}
}

// isBesideService reports whether doctor can guess LiveKit's public URL from
// the service's URL. It can if the host names differ only in jwt and sfu, or if
// both programs share a host name.
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

// phoneTasks returns the tasks that test the connection between a phone and
// this deployment. doctor cannot test this connection.
func (p plan) phoneTasks() []task {
	return []task{{
		do:       "Test the connection of a phone. Run this in the folder there, scan the code that it prints with a phone on mobile data, and tap Start:",
		commands: []string{"docker compose exec matrixrtc-auth /matrixrtc-auth test-link --public-url " + p.JWTURL()},
		check:    "the phone says that calls will work there, or what you must correct.",
	}}
}
