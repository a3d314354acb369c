package helm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

const key = "secrets: {LIVEKIT_KEY_FILE: {existingSecret: livekit}}"

// TestLint checks that `helm lint` reports no warning and no error, for the
// chart's own values and for other values.
func TestLint(t *testing.T) {
	for name, texts := range map[string][]string{
		"default": {"{}"}, "least": {least, key}, "replicas": {least, key, redisStore}, "all": append([]string{least, key, sentinels}, besides[0][1], besides[1][2], besides[2][2], besides[3][3]),
	} {
		t.Run(name, func(t *testing.T) {
			for _, m := range lint.RunAll(chartDir, merge(t, texts...), "matrix").Messages {
				if m.Severity > support.InfoSev {
					t.Errorf("lint: got %v, want nothing above an information", m)
				}
			}
		})
	}
}

// TestRefused checks that the chart refuses wrong or contradictory values. The
// error must name these values.
func TestRefused(t *testing.T) {
	c := loadChart(t)
	for name, test := range map[string]struct{ texts, want string }{
		"nothing":                {"{}", "image.repository is required"},
		"no URL":                 {"image: {repository: x}", "variables.LIVEKIT_URL is required"},
		"no key":                 {least, "LiveKit's API key is missing"},
		"half a key":             {least + "\nsecrets: {LIVEKIT_SECRET: {value: s}}", "LiveKit's API key is missing"},
		"replicas without Redis": {least + "\nreplicaCount: 2\n" + key, "replicaCount is more than 1 without LIVEKIT_REDIS_URL"},
		"memory beside Redis":    {least + "  LIVEKIT_STORE: memory\n  LIVEKIT_REDIS_URL: redis://r\nreplicaCount: 2\n" + key, "LIVEKIT_STORE is memory, but LIVEKIT_REDIS_URL is set"},
		"Redis without a URL":    {least + "  LIVEKIT_STORE: redis\n" + key, "LIVEKIT_STORE is redis without LIVEKIT_REDIS_URL"},
		"Redis of blanks":        {least + "  LIVEKIT_REDIS_URL: '  '\nreplicaCount: 2\n" + key, "replicaCount is more than 1 without LIVEKIT_REDIS_URL"},
		"a URL of blanks":        {"image: {repository: x}\nvariables: {LIVEKIT_URL: ' ', LIVEKIT_FULL_ACCESS_HOMESERVERS: a}\n" + key, "variables.LIVEKIT_URL is required"},
		"tokens without a name":  {least + "\nsecrets: {LIVEKIT_KEY_FILE: {existingSecret: a}, LIVEKIT_AS_REGISTRATION_FILE: {existingSecret: b}}", "variables.LIVEKIT_HS_SERVER_NAME is required with"},
		"an account, no name":    {least + "\nsecrets: {LIVEKIT_KEY_FILE: {existingSecret: a}, LIVEKIT_MEMBERSHIP_TOKEN_FILE: {existingSecret: b}}", "variables.LIVEKIT_HS_SERVER_NAME is required with"},
		"a name alone":           {least + "  LIVEKIT_HS_SERVER_NAME: example.org\n" + key, "variables.LIVEKIT_HS_SERVER_NAME needs"},
		"a number to annotate":   {least + "\ningress: {enabled: true, host: a.example.org, annotations: {proxy-read-timeout: 30}}\n" + key, "got number, want string"},
		"a switch as a label":    {least + "\npodLabels: {a: true}\n" + key, "got boolean, want string"},
		"a label of ours":        {least + "\npodLabels: {app.kubernetes.io/name: other}\n" + key, "invalid propertyName 'app.kubernetes.io/name'"},
		"a number as a variable": {least + "\nextraEnv: [{name: GOMAXPROCS, value: 2}]\n" + key, "got number, want string"},
		"a number of a node":     {least + "\nnodeSelector: {zone: 2}\n" + key, "got number, want string"},
		"a URL for a host":       {least + "\ningress: {enabled: true, host: 'https://a.example.org/'}\n" + key, "ingress/host"},
		"a name that is none":    {least + "\nfullnameOverride: Upper_case\n" + key, "fullnameOverride"},
		"a size that is none":    {least + "\npersistence: {size: big}\n" + key, "persistence/size"},
		"a port too high":        {least + "  LIVEKIT_JWT_BIND: ':65536'\n" + key, "LIVEKIT_JWT_BIND"},
		"a port of chance":       {least + "  LIVEKIT_JWT_BIND: ':0'\n" + key, "LIVEKIT_JWT_BIND"},
		"one port for two":       {least + "  LIVEKIT_JWT_BIND: ':9090'\n" + key, "LIVEKIT_JWT_BIND and LIVEKIT_METRICS_BIND are the same port"},
		"a section of nothing":   {least + "\nserviceMonitor: null\n" + key, "missing property 'serviceMonitor'"},
		"metrics for nobody":     {least + "\nserviceMonitor: {enabled: true}\nnetworkPolicy: {enabled: true}\n" + key, "networkPolicy.metricsFrom"},
		"a secret twice":         {least + "\nsecrets: {LIVEKIT_KEY_FILE: {existingSecret: a, value: b}}", "secrets.LIVEKIT_KEY_FILE: one of"},
		"Redis twice":            {least + "  LIVEKIT_REDIS_URL: redis://r\nsecrets: {LIVEKIT_KEY_FILE: {existingSecret: a}, LIVEKIT_REDIS_URL: {existingSecret: a}}", "remove one of the two"},
		"no metrics":             {least + "  LIVEKIT_METRICS_BIND: ''\nserviceMonitor: {enabled: true}\n" + key, "need variables.LIVEKIT_METRICS_BIND"},
		"Ingress for nobody":     {least + "\ningress: {enabled: true}\n" + key, "ingress.host is required"},
		"a wrong name":           {least + "  LIVEKIT_ULR: x\n" + key, "LIVEKIT_ULR"},
		"a secret in the open":   {least + "  LIVEKIT_SECRET: x\n" + key, "LIVEKIT_SECRET"},
		"another listener":       {least + "  LIVEKIT_JWT_BIND: 127.0.0.1:8080\n" + key, "LIVEKIT_JWT_BIND"},
		"ours under extraEnv":    {least + "\nextraEnv: [{name: LIVEKIT_STORE, value: memory}]\n" + key, "extraEnv"},
		"no replicas":            {least + "\nreplicaCount: 0\n" + key, "replicaCount"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(c, parse(t, test.texts))
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "/", "."), strings.ReplaceAll(test.want, "/", ".")) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestPlain checks that a value arrives in the environment as the user wrote
// it, even if YAML reads the value as a number or a boolean. A value with
// $(NAME) must also arrive unchanged, although Kubernetes usually replaces
// $(NAME).
func TestPlain(t *testing.T) {
	values := merge(t, least, key, `variables: {LIVEKIT_MAX_JOBS: 1000000, LIVEKIT_RATE_LIMIT: off, LIVEKIT_DELEGATION: off, LIVEKIT_TEST_PAGE: on,
  LIVEKIT_DELAYED_EVENT_RATE: 0.5, LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: 0, LIVEKIT_LOG_FORMAT: null, LIVEKIT_REDIS_PREFIX: " $(LIVEKIT_MAX_JOBS) "}`)
	o, err := decode(loadChart(t), values)
	if err != nil {
		t.Fatal(err)
	}
	env := o.enter(t, there(t)).env
	for name, want := range map[string]string{
		"LIVEKIT_MAX_JOBS": "1000000", "LIVEKIT_RATE_LIMIT": "off", "LIVEKIT_DELEGATION": "off", "LIVEKIT_TEST_PAGE": "on",
		"LIVEKIT_DELAYED_EVENT_RATE": "0.5", "LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS": "0", "LIVEKIT_LOG_FORMAT": "", "LIVEKIT_REDIS_PREFIX": "$(LIVEKIT_MAX_JOBS)",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
}

// TestDollars checks that a value with dollar signs arrives unchanged, although
// Kubernetes replaces $(NAME) in values.
func TestDollars(t *testing.T) {
	for _, prefix := range []string{"$", "a$", "$$", "a$$b", "$$$", "$(LIVEKIT_MAX_JOBS)", "$$(LIVEKIT_MAX_JOBS)", "$$$(LIVEKIT_MAX_JOBS)", "$(", "$()"} {
		values := merge(t, least, key, "variables: {LIVEKIT_MAX_JOBS: 7, LIVEKIT_REDIS_PREFIX: '"+prefix+"'}")
		o, err := decode(loadChart(t), values)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.enter(t, there(t)).env["LIVEKIT_REDIS_PREFIX"]; got != prefix {
			t.Errorf("LIVEKIT_REDIS_PREFIX: got %s, want %s", got, prefix)
		}
	}
}

// TestSwitchOfTestPage checks that the Ingress forwards /test exactly when the
// program serves the test page. It tries every way to write the value of
// LIVEKIT_TEST_PAGE.
func TestSwitchOfTestPage(t *testing.T) {
	c := loadChart(t)
	for _, written := range []string{"on", "off", "'on'", "'off'", "'OFF'", "' off '", "'No'", "'0'", "'1'", "yes", "no", "false", "true", "''", "null"} {
		t.Run(written, func(t *testing.T) {
			o, err := decode(c, merge(t, least, key, "{ingress: {enabled: true, host: jwt.example.org}, variables: {LIVEKIT_TEST_PAGE: "+written+"}}"))
			if err != nil {
				t.Errorf("LIVEKIT_TEST_PAGE: %s: got %v, want no error", written, err)
				return
			}
			passes := slices.ContainsFunc(o.ingress.Spec.Rules[0].HTTP.Paths, func(p networkingv1.HTTPIngressPath) bool { return p.Path == "/test" })
			if cfg := o.enter(t, there(t)).program(t); passes != cfg.TestPage {
				t.Errorf("LIVEKIT_TEST_PAGE: %s: got the page passed by the Ingress: %v, want what the program has: %v", written, passes, cfg.TestPage)
			}
		})
	}
}

// TestSecretRestarts checks that the pod template changes when a secret made by
// the chart changes. Such a change makes Kubernetes restart the pods. If the
// chart makes no secret, the template must have no checksum of secrets.
func TestSecretRestarts(t *testing.T) {
	c := loadChart(t)
	sum := func(secret string) string {
		o, err := decode(c, merge(t, least, secret))
		if err != nil {
			t.Fatal(err)
		}
		return o.deployment.Spec.Template.Annotations["checksum/secrets"]
	}
	one, other := sum("secrets: {LIVEKIT_KEY_FILE: {value: one}}"), sum("secrets: {LIVEKIT_KEY_FILE: {value: other}}")
	if one == "" || one == other || sum(key) != "" {
		t.Errorf("checksum/secrets: got %q and %q, and %q of an existing secret; want two that differ, and none", one, other, sum(key))
	}
}

// TestRule checks that the chart has the alerts of
// deploy/prometheus/rules.yaml.
func TestRule(t *testing.T) {
	o, err := decode(loadChart(t), merge(t, least, key, "prometheusRule: {enabled: true}"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want monitoringv1.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict(text, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Groups) == 0 || !reflect.DeepEqual(o.rule.Spec, want) {
		t.Errorf("the PrometheusRule has\n%+v, want\n%+v", o.rule.Spec, want)
	}
}

// TestOfParent checks that the chart accepts the values that a parent chart
// sets for it.
func TestOfParent(t *testing.T) {
	if _, err := decode(loadChart(t), merge(t, least, key, "{enabled: true, global: {imageRegistry: registry.example.org}}")); err != nil {
		t.Errorf("decode: got %v, want no error", err)
	}
}

// TestOff checks that by default the chart makes none of the optional objects.
func TestOff(t *testing.T) {
	o, err := decode(loadChart(t), merge(t, least, key))
	if err != nil {
		t.Fatal(err)
	}
	if o.ingress != nil || o.policy != nil || o.monitor != nil || o.rule != nil || o.secret != nil || o.budget != nil {
		t.Errorf("the fewest values: got %+v, want no Ingress, NetworkPolicy, monitor, rule, Secret or budget", o)
	}
}

// TestDescriptions checks that the schema describes each value of the chart, and
// allows no values besides those.
func TestDescriptions(t *testing.T) {
	text, err := os.ReadFile(chartDir + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type value struct {
		Description          string
		AdditionalProperties json.RawMessage
		Properties           map[string]json.RawMessage
		Items                struct{ Properties map[string]json.RawMessage }
	}
	found := 0
	var look func(path string, raw json.RawMessage)
	look = func(path string, raw json.RawMessage) {
		var v value
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("schema of %s: got %v, want no error", path, err)
		}
		if found++; v.Description == "" && path != "" {
			t.Errorf("schema of %s: got no description, want one", path)
		}
		if v.Properties != nil && string(v.AdditionalProperties) != "false" {
			t.Errorf("schema of %s: got additionalProperties %s, want false", path, v.AdditionalProperties)
		}
		for name, inner := range v.Properties {
			look(path+"."+name, inner)
		}
		for name, inner := range v.Items.Properties {
			look(path+"[]."+name, inner)
		}
	}
	look("", text)
	if found < 100 {
		t.Errorf("schema: got %d values, want at least 100", found)
	}
}

// TestVersion checks that the chart has the same version as the program.
func TestVersion(t *testing.T) {
	version, err := os.ReadFile("../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(version))
	if m := loadChart(t).Metadata; m.Version != want || m.AppVersion != want {
		t.Errorf("Chart.yaml: got the versions %s and %s, want %s of VERSION", m.Version, m.AppVersion, want)
	}
}

// TestPages checks the values in docs/kubernetes.md and in the README. A reader
// adds the values of one block after another, and so does the test. The chart
// must accept the values, and the program must accept the resulting
// environment.
func TestPages(t *testing.T) {
	for _, page := range []string{"../../docs/kubernetes.md", chartDir + "/README.md"} {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			taken, values := 0, map[string]any{}
			for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
				if !strings.Contains(block[1], "# my-values.yaml") {
					continue
				}
				taken++
				values = merge(t, marshal(t, values), block[1])
				o, err := decode(loadChart(t), values)
				if err != nil {
					t.Fatalf("%s, values %d: got %v, want no error", page, taken, err)
				}
				o.enter(t, map[string]map[string]string{
					"livekit-keys": {"keys.yaml": keys}, "redis": {"password": password}, "matrixrtc-auth-registration": {"registration.yaml": registration},
				}).program(t)
			}
			if taken == 0 {
				t.Errorf("%s: got no values, want some", page)
			}
		})
	}
}

func marshal(t *testing.T, values map[string]any) string {
	t.Helper()
	text, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
