package config

import (
	"cmp"
	"net"
	"net/url"
	"os"
	"strings"
)

// container reports whether this process runs in a container. It looks for
// files and variables that Docker, Podman and Kubernetes create.
func container(readFile func(name string) ([]byte, error), getenv func(name string) string) bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := readFile(mark); err == nil {
			return true
		}
	}
	if getenv("KUBERNETES_SERVICE_HOST") != "" {
		return true
	}
	groups, err := readFile("/proc/self/cgroup")
	if err != nil {
		return false
	}
	for _, maker := range []string{"docker", "libpod", "kubepods", "containerd"} {
		if strings.Contains(string(groups), maker) {
			return true
		}
	}
	return false
}

// inContainer reports whether this process runs in a container.
func inContainer() bool { return container(os.ReadFile, os.Getenv) }

// reachable warns if b is a loopback address in a container, because nothing
// outside the container can connect to it. If the SFU has a loopback address,
// too, reachable does not warn, because the container then probably shares the
// network of its host or pod.
func (j *judge) reachable(v value, b Bind) {
	host, port, err := net.SplitHostPort(b.Address)
	if !j.input.Container || b.Network == "unix" || err != nil || !isLoopback(host) || j.besideSFU() {
		return
	}
	j.warn(v, ContainerAlone, "%s listens for this container alone, unless it shares the network of its host or pod; "+
		"write :%s, and keep others out where the port is published, like 127.0.0.1:%s:%s in compose.yaml", shown(b.Address), port, port, port)
}

// besideSFU reports whether the SFU's API has a loopback address. If it has
// one, this process and the SFU have the same network.
func (j *judge) besideSFU() bool {
	u, err := url.Parse(cmp.Or(j.variable("LIVEKIT_INTERNAL_URL").get(), j.variable("LIVEKIT_URL").get()))
	return err == nil && isLoopback(plainHost(u))
}
