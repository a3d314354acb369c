package main_test

import (
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// deployment is the part of a Kubernetes Deployment that decides whether
// replicas know of the same leaves.
type deployment struct {
	Spec struct {
		Replicas int
		Strategy struct{ Type string }
		Template struct {
			Spec struct {
				SecurityContext struct {
					FSGroup int `yaml:"fsGroup"`
				} `yaml:"securityContext"`
				Volumes []struct {
					Secret *struct {
						DefaultMode int `yaml:"defaultMode"`
					}
				}
				Containers []struct {
					Env          []variable
					VolumeMounts []struct {
						MountPath string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				}
			}
		}
	}
}

type variable struct{ Name, Value string }

// TestKubernetes checks the Deployments of docs/kubernetes.md: either all replicas share a
// Redis, or there is one, which has its file to itself and may write to it.
func TestKubernetes(t *testing.T) {
	var several, one int
	for _, block := range blocks(read(t, "docs/kubernetes.md"), "yaml") {
		var d deployment
		if err := yaml.Unmarshal([]byte(block), &d); err != nil {
			t.Fatal(err)
		}
		switch pod := d.Spec.Template.Spec; {
		case d.Spec.Replicas > 1:
			several++
			shared := func(v variable) bool { return v.Name == "LIVEKIT_REDIS_URL" }
			if !slices.ContainsFunc(pod.Containers[0].Env, shared) {
				t.Error("several replicas have no store in common")
			}
			for _, v := range pod.Volumes {
				if v.Secret != nil && (v.Secret.DefaultMode != 0o440 || pod.SecurityContext.FSGroup == 0) {
					t.Errorf("the secrets have the mode %04o and the group %d; want 0440, which LiveKit takes, and a group", v.Secret.DefaultMode, pod.SecurityContext.FSGroup)
				}
			}
		case d.Spec.Replicas == 1:
			one++
			if d.Spec.Strategy.Type != "Recreate" || pod.SecurityContext.FSGroup == 0 || pod.Containers[0].VolumeMounts[0].MountPath != usualDirectory(t) {
				t.Errorf("one replica: %+v, want Recreate and a volume of its group at %s", d.Spec, usualDirectory(t))
			}
		}
	}
	if several != 1 || one != 1 {
		t.Errorf("%d Deployments with replicas, %d without, want one of each", several, one)
	}
}
