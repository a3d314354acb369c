package helm

import (
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"matrixrtc-auth/config"
	"matrixrtc-auth/internal/secret"
)

// authority returns the certificate of a CA, for LIVEKIT_CA_FILE.
func authority(t *testing.T) string {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// pod is the environment and the files that the program finds in its
// container.
type pod struct {
	env   map[string]string
	files map[string]string
	data  bool // whether there is a volume at /data
}

// enter does for the container what Kubernetes does: it sets variables, and
// mounts files from Secrets and ConfigMaps. The parameter there holds the
// Secrets and ConfigMaps that already exist in the cluster. The chart can make
// one more Secret.
func (o *objects) enter(t *testing.T, there map[string]map[string]string) pod {
	t.Helper()
	cluster := map[string]map[string]string{}
	for name, entries := range there {
		cluster[name] = entries
	}
	if o.secret != nil {
		made := map[string]string{}
		for key, value := range o.secret.Data {
			made[key] = string(value)
		}
		cluster[o.secret.Name] = made
	}
	take := func(name, key string) string {
		value, ok := cluster[name][key]
		if !ok {
			t.Errorf("%s: got no key %s, want it", name, key)
		}
		return value
	}
	p := pod{env: map[string]string{}, files: map[string]string{}}
	spec := o.deployment.Spec.Template.Spec
	for _, v := range spec.Containers[0].Env {
		if _, twice := p.env[v.Name]; twice {
			t.Errorf("variable %s: got it twice, want it once", v.Name)
		}
		p.env[v.Name] = p.expand(v.Value)
		if v.ValueFrom != nil {
			p.env[v.Name] = take(v.ValueFrom.SecretKeyRef.Name, v.ValueFrom.SecretKeyRef.Key)
		}
	}
	for _, mount := range spec.Containers[0].VolumeMounts {
		p.mount(t, mount, spec.Volumes, take)
	}
	return p
}

// expand changes a value as Kubernetes does. Two dollar signs become one.
// $(NAME) becomes the value of the variable NAME, if an earlier entry has set
// this variable.
func (p pod) expand(value string) string {
	return regexp.MustCompile(`\$\$|\$\([^)]*\)`).ReplaceAllStringFunc(value, func(found string) string {
		if found == "$$" {
			return "$"
		}
		if earlier, ok := p.env[found[2:len(found)-1]]; ok {
			return earlier
		}
		return found
	})
}

func (p *pod) mount(t *testing.T, mount corev1.VolumeMount, volumes []corev1.Volume, take func(name, key string) string) {
	t.Helper()
	for _, v := range volumes {
		switch {
		case v.Name != mount.Name:
		case v.PersistentVolumeClaim != nil:
			p.data = mount.MountPath == "/data"
		case v.Projected != nil:
			if mode := *v.Projected.DefaultMode; mode != 0o440 || !mount.ReadOnly {
				t.Errorf("secrets have the mode %04o, read only %v; want 0440 and true", mode, mount.ReadOnly)
			}
			for _, source := range v.Projected.Sources {
				var name string
				var items []corev1.KeyToPath
				if source.Secret != nil {
					name, items = source.Secret.Name, source.Secret.Items
				} else {
					name, items = source.ConfigMap.Name, source.ConfigMap.Items
				}
				for _, item := range items {
					p.files[path.Join(mount.MountPath, item.Path)] = take(name, item.Key)
				}
			}
		}
	}
}

// program parses the pod's environment as matrixrtc-auth does, and returns the
// configuration. If the configuration has a warning, the test fails.
func (p pod) program(t *testing.T) config.Config {
	t.Helper()
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	in := config.Input{Environment: config.Environment{}, DataWritable: p.data, Container: true}
	for name, value := range p.env {
		if known[name] {
			in.Environment[name] = secret.New(value)
		} else if strings.HasPrefix(name, "LIVEKIT") || strings.HasPrefix(name, "LK_") {
			t.Errorf("got the variable %s, want only those of the program", name)
		}
	}
	cfg, warnings, err := config.Parse(in, func(name string) ([]byte, error) {
		if text, ok := p.files[name]; ok {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("%s is not mounted", name)
	})
	if err != nil {
		t.Fatalf("config.Parse of the pod's environment: got %v, want no error", err)
	}
	for _, w := range warnings {
		t.Errorf("config.Parse of the pod's environment: got the warning %v, want none", w)
	}
	return cfg
}
