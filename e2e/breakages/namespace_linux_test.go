package breakages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// public is the public address of the deployment. It is from a range that is reserved
// for documentation.
const public = "203.0.113.10"

// deadIPv6 is an address at which no program listens. It is from a range that is
// reserved for documentation.
const deadIPv6 = "2001:db8::10"

// namespaces makes a process start with its own network and mount namespaces.
func namespaces() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:    syscall.SIGKILL,
	}
}

// isolate prepares the namespaces of this process. It starts the loopback interface,
// and an interface with a public address, because WebRTC does not use loopback.
// Programs in the namespaces use only the test's name server.
func isolate(dir string) error {
	for _, line := range []string{
		"link set lo up",
		"link set lo gso_max_segs 1", // packets get the size that they have in a real network
		"link add web0 type veth peer name web1",
		"address add " + public + "/24 dev web0",
		"address add " + deadIPv6 + "/64 dev web0 nodad",
		"link set web0 up",
		"link set web1 up",
	} {
		if err := system("ip", strings.Fields(line)...); err != nil {
			return err
		}
	}
	for path, text := range map[string]string{
		"/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:3 attempts:2\n",
		"/etc/hosts":       "127.0.0.1 localhost\n::1 localhost\n",
	} {
		own := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(own, path, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("replacing %s in the namespace: %w", path, err)
		}
	}
	return nil
}

// This function makes the kernel drop packets that match one of the rules. It removes
// earlier rules first.
func closed(rules []string) error {
	for _, program := range []string{"iptables", "ip6tables"} {
		if err := system(program, "-F", "INPUT"); err != nil {
			return err
		}
		for _, rule := range rules {
			if err := system(program, append([]string{"-A", "INPUT", "-j", "DROP"}, strings.Fields(rule)...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// countLeaving makes the kernel count packets that leave the deployment. The kernel's
// own reports about multicast groups do not count.
func countLeaving() error {
	return system("iptables", "-A", "OUTPUT", "!", "-o", "lo", "!", "-d", "224.0.0.22")
}

// leaving returns the number of packets that left the deployment since countLeaving.
func leaving() (packets int, err error) {
	out, err := output("iptables", "-nvxL", "OUTPUT")
	if err != nil {
		return 0, err
	}
	lines := strings.Split(strings.TrimSpace(out), "\n") // the last line is the rule of countLeaving
	_, err = fmt.Sscan(lines[len(lines)-1], &packets)
	return packets, err
}

// system runs a program of the operating system, and returns an error if the program
// fails.
func system(program string, args ...string) error {
	_, err := output(program, args...)
	return err
}

// output runs a program of the operating system, and returns what it prints.
func output(program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
