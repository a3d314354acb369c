package helm

import (
	"path"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"matrixrtc-auth/config"
)

// TestMatrix renders the chart with many combinations of values. It checks that
// Kubernetes knows every field, that the program accepts its environment
// without a warning, and that the objects fit together.
func TestMatrix(t *testing.T) {
	c, cluster := loadChart(t), there(t)
	forEach(t, func(t *testing.T, texts []string) {
		o, err := decode(c, merge(t, texts...))
		if err != nil {
			t.Fatal(err)
		}
		cfg := o.enter(t, cluster).program(t)
		o.wantStore(t, cfg)
		o.wantRights(t)
		o.wantProbes(t)
		o.wantEnd(t, cfg)
		o.wantServices(t, cfg)
		o.wantIngress(t, cfg, strings.Contains(strings.Join(texts, ""), "homeserver: true"))
		o.wantBudget(t, strings.Contains(strings.Join(texts, ""), "podDisruptionBudget: {enabled: false}, topologySpread: {keys: []}"))
		o.wantPolicy(t)
		if t.Failed() {
			t.Logf("values:\n%s", strings.Join(texts, "\n---\n"))
		}
	})
}

// wantStore checks that the number of pods fits the store of leaves. Several
// pods must share a Redis. With any other store there may be only one pod,
// which must end before the next one starts. A file of leaves must be in a
// volume at /data.
func (o *objects) wantStore(t *testing.T, cfg config.Config) {
	t.Helper()
	d := o.deployment.Spec
	shared := cfg.Store.Kind == config.StoreRedis
	if *d.Replicas > 1 && !shared {
		t.Errorf("%d replicas: got the store %s, want one in common", *d.Replicas, cfg.Store)
	}
	if rolling := d.Strategy.Type == "RollingUpdate"; rolling != shared {
		t.Errorf("store %s: got the strategy %s, want RollingUpdate: %v", cfg.Store, d.Strategy.Type, shared)
	}
	var claimed string
	for _, v := range d.Template.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			claimed = v.PersistentVolumeClaim.ClaimName
		}
	}
	if file := cfg.Store.Kind == config.StoreFile; file != (claimed != "") {
		t.Errorf("store %s: got the volume %q, want one: %v", cfg.Store, claimed, file)
	}
	if cfg.Store.Kind == config.StoreFile && path.Dir(cfg.Store.Path) != "/data" {
		t.Errorf("got the file %s, want it in the volume at /data", cfg.Store.Path)
	}
	if made := o.claim != nil; made != (claimed != "" && claimed != "old") || made && o.claim.Name != claimed {
		t.Errorf("the pod claims %q: got the claim %+v of the chart, want it made unless the volume is an old one", claimed, o.claim)
	}
}

// wantRights checks that the pod has no more rights than it needs. It also
// checks the user and the group of the pod.
func (o *objects) wantRights(t *testing.T) {
	t.Helper()
	spec := o.deployment.Spec.Template.Spec
	p, c := spec.SecurityContext, spec.Containers[0].SecurityContext
	if !*p.RunAsNonRoot || *p.RunAsUser != 65532 || *p.RunAsGroup != 65532 || *p.FSGroup != 65532 || p.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("got the pod's rights %+v, want user, group and volumes of 65532, not root, the seccomp profile of the runtime", p)
	}
	if !*c.ReadOnlyRootFilesystem || *c.AllowPrivilegeEscalation || len(c.Capabilities.Add) > 0 || !slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("got the container's rights %+v, want a read-only root and no capability", c)
	}
	if *spec.AutomountServiceAccountToken || *spec.EnableServiceLinks {
		t.Errorf("got a token of Kubernetes: %v, variables of Services: %v, want neither", *spec.AutomountServiceAccountToken, *spec.EnableServiceLinks)
	}
	if c := spec.Containers[0]; len(c.Command)+len(c.Args) > 0 {
		t.Errorf("got the command %q %q, want the image's own", c.Command, c.Args)
	}
}

func (o *objects) wantProbes(t *testing.T) {
	t.Helper()
	c := o.deployment.Spec.Template.Spec.Containers[0]
	for name, p := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if p == nil || p.HTTPGet == nil || p.HTTPGet.Path != "/healthz" || p.HTTPGet.Port.StrVal != "http" {
			t.Errorf("the %s probe is %+v, want GET /healthz", name, p)
		}
	}
}

// toFinish is the longest time in seconds that the program takes to end after
// its shutdown delay. See "Shutdown" in docs/operations.md.
const toFinish = 10

// wantEnd checks that Kubernetes waits until the program has ended. It also
// checks that the pod has no shutdown delay if no other pod can take over.
func (o *objects) wantEnd(t *testing.T, cfg config.Config) {
	t.Helper()
	delay, grace := int64(cfg.ShutdownDelay.Seconds()), *o.deployment.Spec.Template.Spec.TerminationGracePeriodSeconds
	if grace < delay+toFinish {
		t.Errorf("got a grace period of %d s, want at least the program's %d + %d s", grace, delay, toFinish)
	}
	if rolling := o.deployment.Spec.Strategy.Type == "RollingUpdate"; rolling != (delay > 0) {
		t.Errorf("strategy %s: got a delay of %d s, want one: %v", o.deployment.Spec.Strategy.Type, delay, rolling)
	}
}

// wantServices checks that each Service selects the pod, and leads to a port at
// which the program listens. It also checks that no Service for clients
// publishes the metrics.
func (o *objects) wantServices(t *testing.T, cfg config.Config) {
	t.Helper()
	ports := map[string]int32{}
	for _, p := range o.deployment.Spec.Template.Spec.Containers[0].Ports {
		ports[p.Name] = p.ContainerPort
	}
	listens := func(b config.Bind) int32 {
		if b == (config.Bind{}) {
			return 0
		}
		return portOf(t, b.Address)
	}
	if ports["http"] != listens(cfg.Listen) || ports["metrics"] != listens(cfg.Metrics) {
		t.Errorf("got the container's ports %v, want those of %v and %v", ports, cfg.Listen, cfg.Metrics)
	}
	labels := o.deployment.Spec.Template.Labels
	if !selects(o.deployment.Spec.Selector.MatchLabels, labels) || !selects(o.service.Spec.Selector, labels) {
		t.Errorf("the pod's labels %v: got the selectors %v and %v, want both to select them", labels, o.deployment.Spec.Selector.MatchLabels, o.service.Spec.Selector)
	}
	if p := o.service.Spec.Ports; len(p) != 1 || p[0].TargetPort.StrVal != "http" {
		t.Errorf("the Service has the ports %+v, want http alone", p)
	}
	if (o.metrics != nil) != (ports["metrics"] != 0) {
		t.Fatalf("port %d of the metrics: got the Service %+v, want one if there is a port", ports["metrics"], o.metrics)
	}
	if o.metrics != nil && (o.metrics.Spec.Type == corev1.ServiceTypeLoadBalancer || o.metrics.Spec.Ports[0].TargetPort.StrVal != "metrics" || !selects(o.metrics.Spec.Selector, labels)) {
		t.Errorf("got the Service of the metrics %+v, want the port metrics of these pods, and no load balancer", o.metrics.Spec)
	}
	if m := o.monitor; m != nil && (!selects(m.Spec.Selector.MatchLabels, o.metrics.Labels) || selects(m.Spec.Selector.MatchLabels, o.service.Labels) || m.Spec.Endpoints[0].Port != "metrics") {
		t.Errorf("got the ServiceMonitor %+v, want the Service of the metrics alone selected", m.Spec)
	}
}

// wantIngress checks that the Ingress forwards only the paths that clients and
// LiveKit need. If homeserver is true, the Ingress must also forward the paths
// that the homeserver needs.
func (o *objects) wantIngress(t *testing.T, cfg config.Config, homeserver bool) {
	t.Helper()
	if o.ingress == nil {
		return
	}
	want := map[string]networkingv1.PathType{
		"/sfu/get": networkingv1.PathTypeExact, "/get_token": networkingv1.PathTypeExact,
		"/delegate_delayed_leave": networkingv1.PathTypeExact, "/healthz": networkingv1.PathTypeExact,
	}
	if cfg.TestPage {
		want["/test"], want["/sfu_webhook"] = networkingv1.PathTypePrefix, networkingv1.PathTypeExact
	}
	if homeserver {
		for _, path := range []string{
			"/_matrix/client/unstable/io.element.msc4195/rtc/livekit", "/_matrix/client/v1/rtc/livekit",
			"/_matrix/federation/unstable/io.element.msc4195/rtc/livekit", "/_matrix/federation/v1/rtc/livekit", "/_matrix/app/v1",
		} {
			want[path] = networkingv1.PathTypePrefix
		}
	}
	rule := o.ingress.Spec.Rules[0]
	got := rule.HTTP.Paths
	for _, p := range got {
		if want[p.Path] != *p.PathType {
			t.Errorf("the Ingress passes %s (%s), which is not wanted", p.Path, *p.PathType)
		}
		if b := p.Backend.Service; b.Name != o.service.Name || b.Port.Name != o.service.Spec.Ports[0].Name {
			t.Errorf("path %s: got %+v, want the Service %s", p.Path, b, o.service.Name)
		}
	}
	if len(got) != len(want) || rule.Host != "jwt.example.org" {
		t.Errorf("the Ingress passes %d paths of %s, want %d", len(got), rule.Host, len(want))
	}
}

// wantBudget checks that a drain of nodes ends only one of several pods at the
// same time, and that several pods run on different nodes. A single pod must have
// no disruption budget and no rule to spread pods over nodes. If off is true, the
// chart's values switch off the budget and the rule even for several pods.
func (o *objects) wantBudget(t *testing.T, off bool) {
	t.Helper()
	several := *o.deployment.Spec.Replicas > 1
	labels := o.deployment.Spec.Template.Labels
	if got, want := o.budget != nil, several && !off; got != want {
		t.Errorf("%d replicas: got a budget %v, want %v", *o.deployment.Spec.Replicas, got, want)
	}
	if o.budget != nil && (!several || o.budget.Spec.MaxUnavailable.IntVal != 1 || !selects(o.budget.Spec.Selector.MatchLabels, labels)) {
		t.Errorf("%d replicas: got the budget %+v, want one away at a time, and no budget for one replica", *o.deployment.Spec.Replicas, o.budget.Spec)
	}
	spread := o.deployment.Spec.Template.Spec.TopologySpreadConstraints
	if got, want := len(spread) > 0, several && !off; got != want {
		t.Errorf("%d replicas: got the spread %+v, want one %v", *o.deployment.Spec.Replicas, spread, want)
	}
	for _, s := range spread {
		if !selects(s.LabelSelector.MatchLabels, labels) {
			t.Errorf("spread over %s: got the labels %v, want those of these pods, %v", s.TopologyKey, s.LabelSelector.MatchLabels, labels)
		}
	}
}

// wantPolicy checks that only the peers that the values name can reach the
// metrics. It also checks the rules for outgoing connections. No block of
// addresses in them may contain private addresses.
func (o *objects) wantPolicy(t *testing.T) {
	t.Helper()
	if o.policy == nil {
		return
	}
	if !selects(o.policy.Spec.PodSelector.MatchLabels, o.deployment.Spec.Template.Labels) {
		t.Errorf("got a NetworkPolicy for %v, want one for these pods, %v", o.policy.Spec.PodSelector.MatchLabels, o.deployment.Spec.Template.Labels)
	}
	for _, rule := range o.policy.Spec.Ingress {
		if len(rule.Ports) != 1 || rule.Ports[0].Port.StrVal == "metrics" && len(rule.From) == 0 {
			t.Errorf("the NetworkPolicy lets in %+v, want one port, and metrics only from named pods", rule)
		}
	}
	if out := slices.Contains(o.policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress); out != (len(o.policy.Spec.Egress) > 0) {
		t.Errorf("the NetworkPolicy bounds egress: got %v with %d rules, want both or neither", out, len(o.policy.Spec.Egress))
	}
	for _, rule := range o.policy.Spec.Egress {
		for _, to := range rule.To {
			if b := to.IPBlock; b != nil && !slices.Contains(b.Except, "10.0.0.0/8") && !slices.Contains(b.Except, "fc00::/7") {
				t.Errorf("the NetworkPolicy lets out to %+v, want private addresses excepted", b)
			}
		}
	}
}

// selects reports whether a selector selects an object with these labels.
func selects(selector, labels map[string]string) bool {
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return len(selector) > 0
}

func portOf(t *testing.T, address string) (port int32) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(address[strings.LastIndex(address, ":")+1:]), &port); err != nil {
		t.Fatalf("port of %q: got %v, want a number", address, err)
	}
	return port
}
