package main

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/config"
)

// elsewhere are the variables that stand neither under variables nor under
// secrets, and what is set in their place.
var elsewhere = map[string]string{
	"LIVEKIT_LOCAL_HOMESERVERS": "variables.LIVEKIT_FULL_ACCESS_HOMESERVERS",
	"LIVEKIT_JWT_PORT":          "variables.LIVEKIT_JWT_BIND",
	"LK_JWT_PORT":               "variables.LIVEKIT_JWT_BIND",
	"LIVEKIT_SHUTDOWN_DELAY":    "shutdownDelaySeconds",
}

// presets are the chart's defaults that are not the program's.
var presets = map[string]string{
	"LIVEKIT_JWT_BIND":     ":8080",
	"LIVEKIT_METRICS_BIND": ":9090",
	"LIVEKIT_LOG_FORMAT":   "json",
}

// meanings are those that differ in a pod.
var meanings = map[string]string{
	"LIVEKIT_JWT_BIND":     "the port at which the pod listens, like :8080",
	"LIVEKIT_METRICS_BIND": "the port at which the pod serves Prometheus metrics, like :9090; none when empty",
	"LIVEKIT_STORE":        "memory, without a warning that a restart loses the delegated leaves; when empty, Redis if LIVEKIT_REDIS_URL is set, else the volume of persistence, else memory",
}

// port is a colon and a number from 1 to 65535.
const port = "^(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$"

// patterns are narrower than what the program takes: the pod's ports are known.
var patterns = map[string]string{
	"LIVEKIT_JWT_BIND":     port,
	"LIVEKIT_METRICS_BIND": port,
	"LIVEKIT_STORE":        "^(memory|redis)?$", // the root is read only, and a volume has a value of its own
}

// addVariables puts each variable of the program where the values have it.
func addVariables(schema *yaml.Node) {
	properties := get(schema, "properties")
	plain := get(get(properties, "variables"), "properties")
	secrets := get(get(properties, "secrets"), "properties")
	for _, v := range config.Variables() {
		if _, other := elsewhere[v.Name]; other {
			continue
		}
		if !isSecret(v) {
			add(plain, v.Name, variable(v))
		}
		// The URL of Redis may hold the password of the Sentinels.
		if isSecret(v) || v.Form == config.FormRedis {
			add(secrets, v.Name, secret(v))
		}
	}
}

func isSecret(v config.Variable) bool { return v.Secret || v.Form == config.FormPath }

// describe says what a variable is for, and its default in the program.
func describe(v config.Variable) string {
	text := cmp.Or(meanings[v.Name], v.Meaning)
	if _, ours := presets[v.Name]; v.Default != "" && !ours {
		text += "; " + v.Default + " when empty"
	}
	return text
}

func variable(v config.Variable) *yaml.Node {
	node := mapping("description", describe(v))
	types := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, t := range slices.Concat([]string{"string"}, typesOf(v.Form), []string{"null"}) {
		// "null" is a word here, and no null.
		types.Content = append(types.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: t})
	}
	add(node, "type", types)
	if pattern := patterns[v.Name]; pattern != "" {
		add(node, "pattern", text(pattern))
	}
	add(node, "default", text(presets[v.Name]))
	return node
}

// typesOf are those besides text that YAML may make of a value.
func typesOf(form config.Form) []string {
	switch form {
	case config.FormSwitch, config.FormLimit, config.FormWho:
		return []string{"boolean"}
	case config.FormCount, config.FormSeconds:
		return []string{"integer"}
	case config.FormRate:
		return []string{"number", "boolean"}
	}
	return nil
}

// secret is where a value is that does not stand in the open.
func secret(v config.Variable) *yaml.Node {
	node := mapping("description", v.Meaning, "type", "object")
	add(node, "additionalProperties", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"})
	properties := &yaml.Node{Kind: yaml.MappingNode}
	add(properties, "existingSecret", mapping("description", "the name of a Secret that has it", "type", "string", "default", ""))
	if v.Name == "LIVEKIT_CA_FILE" {
		add(properties, "existingConfigMap", mapping("description", "the name of a ConfigMap that has it", "type", "string", "default", ""))
	}
	add(properties, "key", mapping("description", "its key there", "type", "string", "default", usualKey(v.Name)))
	add(properties, "value", mapping("description", "in place of both: the value itself, of which the chart makes a Secret", "type", "string", "default", ""))
	add(node, "properties", properties)
	return node
}

// usualKey is like keys.yaml where LiveKit's own deployments have a name for it,
// else the variable's name.
func usualKey(name string) string {
	switch name {
	case "LIVEKIT_KEY_FILE":
		return "keys.yaml"
	case "LIVEKIT_AS_REGISTRATION_FILE":
		return "registration.yaml"
	case "LIVEKIT_CA_FILE":
		return "ca.crt"
	}
	return name
}

func mapping(pairs ...string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i < len(pairs); i += 2 {
		add(node, pairs[i], text(pairs[i+1]))
	}
	return node
}

func add(mapping *yaml.Node, name string, value *yaml.Node) {
	mapping.Style = 0 // an empty one is written as {} in the source
	mapping.Content = append(mapping.Content, text(name), value)
}

func text(value string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if value == "" || strings.ContainsAny(value, ":#{}[]*") {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}
