package main

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/config"
)

// elsewhere lists the program's variables that are neither under "variables"
// nor under "secrets". For each one it has the name of the chart's value that
// sets the variable.
var elsewhere = map[string]string{
	"LIVEKIT_LOCAL_HOMESERVERS": "variables.LIVEKIT_FULL_ACCESS_HOMESERVERS",
	"LIVEKIT_JWT_PORT":          "variables.LIVEKIT_JWT_BIND",
	"LK_JWT_PORT":               "variables.LIVEKIT_JWT_BIND",
	"LIVEKIT_SHUTDOWN_DELAY":    "shutdownDelaySeconds",
}

// presets are the chart's defaults of variables. It lists only the defaults
// that differ from the program's defaults.
var presets = map[string]string{
	"LIVEKIT_JWT_BIND":     ":8080",
	"LIVEKIT_METRICS_BIND": ":9090",
	"LIVEKIT_LOG_FORMAT":   "json",
}

// meanings holds the descriptions of variables that have a special meaning in a
// pod. For these variables, the chart does not use the program's descriptions.
var meanings = map[string]string{
	"LIVEKIT_JWT_BIND":     "the port at which the pod listens, like `:8080`",
	"LIVEKIT_METRICS_BIND": "the port at which the pod serves Prometheus metrics, like `:9090`; when empty, the pod serves no metrics",
	"LIVEKIT_STORE":        "where the service keeps delegated leaves: `redis`, or `memory` without a warning that a restart loses them; when empty, Redis if `LIVEKIT_REDIS_URL` is set, else the volume of `persistence`, else memory",
}

// port matches a colon with a port from 1 to 65535, or an empty text.
const port = "^(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$"

// patterns are the forms that the chart allows for the values of some
// variables. The chart allows less than the program does, because the addresses
// and folders in a pod are fixed.
var patterns = map[string]string{
	"LIVEKIT_JWT_BIND":     port,
	"LIVEKIT_METRICS_BIND": port,
	"LIVEKIT_STORE":        "^(memory|redis)?$", // no file, because another value of the chart sets the file of leaves
}

// addVariables adds each variable of the program to the schema, under
// "variables" or under "secrets".
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
		// The chart also accepts the URL of Redis as a secret, because this URL may
		// hold the password of the Sentinels.
		if isSecret(v) || v.Form == config.FormRedis {
			add(secrets, v.Name, secret(v))
		}
	}
}

func isSecret(v config.Variable) bool { return v.Secret || v.Form == config.FormPath }

// describe returns the description of a variable. It includes the program's
// default, unless the chart has another default.
func describe(v config.Variable) string {
	text := cmp.Or(meanings[v.Name], v.Meaning)
	if _, ours := presets[v.Name]; v.Default != "" && !ours {
		text += "; when empty, `" + v.Default + "`"
	}
	return text
}

func variable(v config.Variable) *yaml.Node {
	node := mapping("description", describe(v))
	types := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, t := range slices.Concat([]string{"string"}, typesOf(v.Form), []string{"null"}) {
		// The schema needs the text "null" in quotation marks. Without quotation
		// marks, YAML would read it as a missing value.
		types.Content = append(types.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: t})
	}
	add(node, "type", types)
	if pattern := patterns[v.Name]; pattern != "" {
		add(node, "pattern", text(pattern))
	}
	add(node, "default", text(presets[v.Name]))
	return node
}

// typesOf returns the types that YAML can give to a value of this form if the
// value has no quotation marks. The type string is not in the result.
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

// secret returns the schema of a variable whose value comes from a Secret of
// Kubernetes.
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

// usualKey returns the key under which a Secret usually holds the value of a
// variable. This key is a common file name, like keys.yaml, or else the name of
// the variable.
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
	mapping.Style = 0 // schema.yaml writes {} for an empty mapping; style 0 gives each member its own line
	mapping.Content = append(mapping.Content, text(name), value)
}

func text(value string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if value == "" || strings.ContainsAny(value, ":#{}[]*") {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}
