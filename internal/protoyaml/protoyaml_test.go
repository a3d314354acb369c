package protoyaml

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

func field() *descriptorpb.FieldDescriptorProto {
	return &descriptorpb.FieldDescriptorProto{
		Name: proto.String("yes"), JsonName: proto.String("12"), Number: proto.Int32(7),
		Type: descriptorpb.FieldDescriptorProto_TYPE_BOOL.Enum(),
	}
}

// TestMarshal checks that the YAML parser can read what Marshal has written. A text
// that looks like a value of another type must still be read as a text.
func TestMarshal(t *testing.T) {
	for name, want := range map[string]struct {
		options MarshalOptions
		field   string
	}{
		"names of JSON":         {MarshalOptions{}, "jsonName"},
		"names of the protocol": {MarshalOptions{UseProtoNames: true}, "json_name"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := want.options.Marshal(field())
			if err != nil {
				t.Fatalf("got error %v, want none", err)
			}
			var got map[string]any
			if err := yaml.Unmarshal(text, &got); err != nil {
				t.Fatalf("%s: got error %v, want none", text, err)
			}
			if got[want.field] != "12" || got["name"] != "yes" || got["number"] != 7 || got["type"] != "TYPE_BOOL" {
				t.Errorf("got %v, want the message's four fields", got)
			}
		})
	}
}

func TestUnmarshal(t *testing.T) {
	for name, text := range map[string]string{
		"YAML":  "name: \"yes\"\njson_name: '12'\nnumber: 7\ntype: TYPE_BOOL\n",
		"JSON":  `{"name":"yes","jsonName":"12","number":7,"type":"TYPE_BOOL"}`,
		"mixed": "{name: 'yes', jsonName: '12', number: 7, type: 8}",
	} {
		t.Run(name, func(t *testing.T) {
			got := new(descriptorpb.FieldDescriptorProto)
			if err := Unmarshal([]byte(text), got); err != nil {
				t.Fatalf("%s: got error %v, want none", text, err)
			}
			if !proto.Equal(got, field()) {
				t.Errorf("%s: got %v, want %v", text, got, field())
			}
		})
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":               {"name: [", "did not find expected"},
		"a field too many":      {"name: x\nabsent: 1\n", `unknown field "absent"`},
		"another type":          {"number: many\n", "invalid value for int32 field number"},
		"a key that is no text": {"1: x\n", "a key of the YAML is not text"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Unmarshal([]byte(c.text), new(descriptorpb.FieldDescriptorProto))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: got error %v, want %q in it", c.text, err, c.want)
			}
		})
	}
}
