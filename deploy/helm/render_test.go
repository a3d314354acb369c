package helm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// chartDir is the directory of the chart.
const chartDir = "matrixrtc-auth"

// objects are the objects that the chart makes, in the types of Kubernetes.
type objects struct {
	deployment *appsv1.Deployment
	secret     *corev1.Secret                // nil if the chart makes none
	claim      *corev1.PersistentVolumeClaim // nil if the chart makes none, like all fields below
	ingress    *networkingv1.Ingress
	policy     *networkingv1.NetworkPolicy
	budget     *policyv1.PodDisruptionBudget
	monitor    *monitoringv1.ServiceMonitor
	rule       *monitoringv1.PrometheusRule
	service    *corev1.Service
	metrics    *corev1.Service
	notes      string
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// parse parses the text of a file with values, as Helm does.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values, err := loader.LoadValues(strings.NewReader(text))
	if err != nil {
		t.Fatalf("got %v, want values:\n%s", err, text)
	}
	return values
}

// merge merges several files of values as Helm does.
func merge(t *testing.T, texts ...string) map[string]any {
	t.Helper()
	values := map[string]any{}
	for _, text := range texts {
		values = loader.MergeMaps(values, parse(t, text))
	}
	return values
}

// usual is the Helm release that most tests use.
var usual = common.ReleaseOptions{Name: "matrixrtc-auth", Namespace: "matrix", Revision: 1, IsInstall: true}

// render returns the files that Helm makes from the chart with these values.
func render(c *chart.Chart, release common.ReleaseOptions, values map[string]any) (map[string]string, error) {
	all, err := util.ToRenderValues(c, values, release, common.DefaultCapabilities.Copy())
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// decode renders the chart and decodes the objects. It fails if an object has a
// field that Kubernetes does not know.
func decode(c *chart.Chart, values map[string]any) (*objects, error) {
	return decodeAs(c, usual, values)
}

// decodeAs renders the chart for the given release and decodes the objects. It
// fails if an object has a field that Kubernetes does not know.
func decodeAs(c *chart.Chart, release common.ReleaseOptions, values map[string]any) (*objects, error) {
	files, err := render(c, release, values)
	if err != nil {
		return nil, err
	}
	var o objects
	for name, text := range files {
		if filepath.Base(name) == "NOTES.txt" {
			o.notes = text
			continue
		}
		for _, document := range strings.Split(text, "\n---\n") {
			if err := o.add(document); err != nil {
				return nil, fmt.Errorf("%s: %w in\n%s", name, err, document)
			}
		}
	}
	return &o, nil
}

func (o *objects) add(document string) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
		return err
	}
	switch kind.APIVersion + " " + kind.Kind {
	case " ":
		if text := strings.TrimSpace(document); text != "" {
			return fmt.Errorf("no object: %q", text)
		}
		return nil
	case "apps/v1 Deployment":
		return strictly(document, &o.deployment)
	case "v1 Secret":
		return strictly(document, &o.secret)
	case "v1 PersistentVolumeClaim":
		return strictly(document, &o.claim)
	case "networking.k8s.io/v1 Ingress":
		return strictly(document, &o.ingress)
	case "networking.k8s.io/v1 NetworkPolicy":
		return strictly(document, &o.policy)
	case "policy/v1 PodDisruptionBudget":
		return strictly(document, &o.budget)
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return strictly(document, &o.monitor)
	case "monitoring.coreos.com/v1 PrometheusRule":
		return strictly(document, &o.rule)
	case "v1 Service":
		if strings.Contains(document, "app.kubernetes.io/component: metrics\n") {
			return strictly(document, &o.metrics)
		}
		return strictly(document, &o.service)
	}
	return fmt.Errorf("an object of another kind: %+v", kind)
}

// strictly decodes the text of an object into a new T, and stores the T in
// *into. It fails if *into is already set, because the chart must not make two
// such objects.
func strictly[T any](document string, into **T) error {
	if *into != nil {
		return fmt.Errorf("a second %T", **into)
	}
	*into = new(T)
	// Convert the text to JSON first, because the YAML decoder would accept a
	// number in a text field. Kubernetes refuses such a number.
	text, err := yaml.YAMLToJSONStrict([]byte(document))
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(*into)
}
