package helm

import (
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"k8s.io/apimachinery/pkg/util/validation"
)

// TestNamesLikeNumbers checks names that Kubernetes allows, but that YAML reads
// as numbers or booleans. The chart must write these names as texts.
func TestNamesLikeNumbers(t *testing.T) {
	const all = `{ingress: {enabled: true, host: a.example.org}, networkPolicy: {enabled: true, metricsFrom: [{podSelector: {}}]},
  serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, secrets: {LIVEKIT_SECRET: {value: s}}}`
	for name, test := range map[string]struct{ release, namespace, values string }{
		"release":       {"123", "matrix", "fullnameOverride: rtc"},
		"namespace":     {"rtc", "123", all},
		"several pods":  {"rtc", "456", redisStore},
		"secrets":       {"rtc", "matrix", `secrets: {LIVEKIT_KEY_FILE: {existingSecret: "123", key: "1e3"}, LIVEKIT_REDIS_URL: {existingSecret: "456", key: "0x10"}, LIVEKIT_CA_FILE: {existingConfigMap: "789", key: "1.5"}}`},
		"volume":        {"rtc", "matrix", `persistence: {existingClaim: "123"}`},
		"class":         {"rtc", "matrix", `persistence: {storageClassName: "123", size: "1073741824"}`},
		"Ingress":       {"rtc", "matrix", `ingress: {enabled: true, host: "123", className: "456", tlsSecret: "789"}`},
		"priority":      {"rtc", "matrix", `priorityClassName: "123"`},
		"chart's name":  {"rtc", "matrix", `nameOverride: "123"`},
		"whole name":    {"rtc", "matrix", `fullnameOverride: "true"`},
		"topology":      {"rtc", "matrix", `{replicaCount: 2, topologySpread: {keys: ["123"]}, variables: {LIVEKIT_REDIS_URL: "redis://r"}}`},
		"a switch's no": {"no", "off", "{fullnameOverride: \"null\", " + all[1:]},
	} {
		t.Run(name, func(t *testing.T) {
			release := common.ReleaseOptions{Name: test.release, Namespace: test.namespace, Revision: 1, IsInstall: true}
			if _, err := decodeAs(loadChart(t), release, merge(t, least, key, test.values)); err != nil {
				t.Errorf("release %s in %s with %s: got %v, want no error", test.release, test.namespace, test.values, err)
			}
		})
	}
}

// TestNameOfService checks the names of the Services for several names of the
// release. Every version of Kubernetes must accept the names of the Services.
// If the chart cannot make such a name, its error must say which value to set.
func TestNameOfService(t *testing.T) {
	for release, want := range map[string]string{
		"rtc": "rtc-matrixrtc-auth", "my-matrixrtc-auth": "my-matrixrtc-auth", "my.release": "my-release-matrixrtc-auth",
		strings.Repeat("a.", 26) + "a": strings.Repeat("a-", 24) + "a", "1st": "",
	} {
		t.Run(release, func(t *testing.T) {
			o, err := decodeAs(loadChart(t), common.ReleaseOptions{Name: release, Namespace: "matrix", IsInstall: true}, merge(t, least, key))
			if want == "" {
				if err == nil || !strings.Contains(err.Error(), "set fullnameOverride") {
					t.Errorf("release %s: got %v, want what to set", release, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{o.service.Name, o.metrics.Name} {
				if faults := validation.IsDNS1035Label(name); len(faults) > 0 || !strings.HasPrefix(name, want) {
					t.Errorf("release %s: got the Service %s (%v), want one that begins with %s", release, name, faults, want)
				}
			}
		})
	}
}
