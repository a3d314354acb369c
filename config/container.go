package config

import (
	"net"
	"os"
	"strings"
)

// container reports whether this process is in a container of Docker, Podman or
// Kubernetes, by the marks that they leave.
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

// inContainer is container for this process.
func inContainer() bool { return container(os.ReadFile, os.Getenv) }

// reachable warns of an address to listen on at which nothing outside this
// container can connect. The container may share its host's network, or a
// pod's; then the address is right, which cannot be seen from inside.
func (j *judge) reachable(v value, b Bind) {
	host, port, err := net.SplitHostPort(b.Address)
	if !j.input.Container || b.Network == "unix" || err != nil || !isLoopback(host) {
		return
	}
	j.warn(v, ContainerAlone, "%s listens for this container alone, unless it shares the network of its host or pod; "+
		"write :%s, and keep others out where the port is published, like 127.0.0.1:%s:%s in compose.yaml", shown(b.Address), port, port, port)
}
