package helm

import (
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// other is the other end of a pod's connection. It is another pod, or an
// address outside the cluster.
type other struct {
	namespace string
	labels    map[string]string
	address   string // the address outside the cluster; "" for a pod
}

var (
	controller = other{namespace: "ingress-nginx", labels: map[string]string{"app": "ingress-nginx"}}
	prometheus = other{namespace: "monitoring", labels: map[string]string{"app": "prometheus"}}
	neighbour  = other{namespace: "matrix", labels: map[string]string{"app": "livekit"}}
	foreigner  = other{namespace: "default", labels: map[string]string{"app": "shop"}}
)

const wholePolicy = `networkPolicy:
  enabled: true
  from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}, {podSelector: {}}]
  metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  egress: true
  egressTo: [{podSelector: {}}, {ipBlock: {cidr: 10.9.8.7/32}}]`

// policyOfPage returns the chart's values that the section "Who may connect" of
// docs/kubernetes.md shows.
func policyOfPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(block[1], "networkPolicy:") {
			return block[1]
		}
	}
	t.Fatal("docs/kubernetes.md: got no values with a NetworkPolicy, want some")
	return ""
}

// TestPolicyPasses checks that each NetworkPolicy allows the connections that
// the service needs, and refuses all other connections.
func TestPolicyPasses(t *testing.T) {
	const httpPort, metricsPort = 8080, 9090
	type connection struct {
		in   bool
		with other
		port int32
		over corev1.Protocol
	}
	in := func(from other, port int32) connection { return connection{true, from, port, corev1.ProtocolTCP} }
	out := func(to other, port int32, over corev1.Protocol) connection { return connection{false, to, port, over} }
	at := func(address string) other { return other{address: address} }
	tcp, udp := corev1.ProtocolTCP, corev1.ProtocolUDP

	for name, c := range map[string]struct {
		values       string
		pass, refuse []connection
	}{
		"on": {"networkPolicy: {enabled: true}",
			[]connection{in(controller, httpPort), in(foreigner, httpPort), in(at("198.51.100.7"), httpPort), out(at("10.0.0.5"), 6379, tcp), out(foreigner, 53, udp)},
			[]connection{in(prometheus, metricsPort), in(neighbour, metricsPort)},
		},
		"whole": {wholePolicy,
			[]connection{
				in(controller, httpPort), in(neighbour, httpPort), in(prometheus, metricsPort),
				out(foreigner, 53, udp), out(at("169.254.20.10"), 53, udp), out(foreigner, 53, tcp), // DNS, also to a cache on the node
				out(at("198.51.100.7"), 8448, tcp), out(at("203.0.113.9"), 443, tcp), out(at("2001:db8::1"), 8448, tcp),
				out(neighbour, 7880, tcp), out(neighbour, 6379, tcp), out(at("10.9.8.7"), 6379, tcp),
			},
			[]connection{
				in(foreigner, httpPort), in(prometheus, httpPort), in(at("198.51.100.7"), httpPort), in(controller, metricsPort), in(neighbour, metricsPort),
				out(foreigner, 80, tcp), out(at("10.0.0.5"), 6379, tcp), out(at("172.20.0.1"), 443, tcp), out(at("192.168.1.1"), 443, tcp),
				out(at("100.64.0.1"), 443, tcp), out(at("169.254.169.254"), 80, tcp), out(at("127.0.0.1"), 8080, tcp),
				out(at("fd00::5"), 6379, tcp), out(at("fe80::1"), 443, tcp), out(at("203.0.113.9"), 443, udp),
			},
		},
		// The list includes the connections of the command doctor, if it runs as
		// docs/kubernetes.md says. Doctor connects to the public names, which lead to
		// the ingress controller's pods, and sends media to LiveKit.
		"of the page": {policyOfPage(t),
			[]connection{
				in(controller, httpPort), in(neighbour, httpPort), in(prometheus, metricsPort), out(foreigner, 53, udp), out(at("203.0.113.9"), 8448, tcp),
				out(neighbour, 7880, tcp), out(controller, 443, tcp), out(at("198.51.100.7"), 50123, udp), out(at("198.51.100.7"), 7881, tcp),
			},
			[]connection{in(foreigner, httpPort), in(controller, metricsPort), out(foreigner, 80, tcp), out(at("10.0.0.5"), 6379, tcp), out(at("203.0.113.9"), 50123, udp)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := decode(loadChart(t), merge(t, least, key, c.values))
			if err != nil {
				t.Fatal(err)
			}
			for want, connections := range map[bool][]connection{true: c.pass, false: c.refuse} {
				for _, x := range connections {
					if got := o.passes(x.in, x.with, x.port, x.over); got != want {
						t.Errorf("%+v passes: %v, want %v", x, got, want)
					}
				}
			}
		})
	}
}

// passes reports whether the cluster's network would allow a connection between
// the pod and another end, which the parameter with describes. The parameter in is
// true for a connection to the pod, and then port is a port of the pod. For a
// connection from the pod, port is a port of the other end. The parameter over is
// the protocol, for example TCP.
func (o *objects) passes(in bool, with other, port int32, over corev1.Protocol) bool {
	bound := false
	for _, direction := range o.policy.Spec.PolicyTypes {
		bound = bound || in == (direction == networkingv1.PolicyTypeIngress)
	}
	if !bound {
		return true
	}
	if in {
		for _, rule := range o.policy.Spec.Ingress {
			if o.takes(rule.Ports, port, over) && with.isOneOf(rule.From) {
				return true
			}
		}
		return false
	}
	for _, rule := range o.policy.Spec.Egress {
		if o.takes(rule.Ports, port, over) && with.isOneOf(rule.To) {
			return true
		}
	}
	return false
}

// takes reports whether a rule allows this port. A rule may give the port's
// number or its name in the container.
func (o *objects) takes(ports []networkingv1.NetworkPolicyPort, port int32, over corev1.Protocol) bool {
	for _, p := range ports {
		if *p.Protocol != over {
			continue
		}
		if p.Port == nil || p.Port.IntVal == port {
			return true
		}
		for _, named := range o.deployment.Spec.Template.Spec.Containers[0].Ports {
			if p.Port.StrVal == named.Name && named.ContainerPort == port {
				return true
			}
		}
	}
	return len(ports) == 0
}

func (w other) isOneOf(peers []networkingv1.NetworkPolicyPeer) bool {
	for _, p := range peers {
		switch {
		case p.IPBlock != nil && w.address != "":
			if within(w.address, p.IPBlock) {
				return true
			}
		case p.IPBlock == nil && w.address == "":
			names := map[string]string{"kubernetes.io/metadata.name": w.namespace}
			here := p.NamespaceSelector == nil && w.namespace == "matrix" // the other pod is in the policy's own namespace
			if (here || matches(p.NamespaceSelector, names)) && (p.PodSelector == nil || matches(p.PodSelector, w.labels)) {
				return true
			}
		}
	}
	return len(peers) == 0
}

// matches reports whether a selector selects an object. An empty selector
// selects all objects, and nil selects no object.
func matches(s *metav1.LabelSelector, labels map[string]string) bool {
	return s != nil && (len(s.MatchLabels) == 0 || selects(s.MatchLabels, labels))
}

func within(address string, block *networkingv1.IPBlock) bool {
	ip := netip.MustParseAddr(address)
	for _, but := range block.Except {
		if netip.MustParsePrefix(but).Contains(ip) {
			return false
		}
	}
	return netip.MustParsePrefix(block.CIDR).Contains(ip)
}
