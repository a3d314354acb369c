// Package protoyaml reads and writes protobuf messages as YAML. It replaces the
// module buf.build/go/protoyaml by a line in go.mod. Package livekit of
// livekit/protocol calls these two functions; this program calls neither.
//
// The original also validates messages by expressions. Its interpreter and
// parser would take 4.8 MB of the binary, and 4 MB of the memory of an idle
// service.
package protoyaml

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// MarshalOptions say how messages are written.
type MarshalOptions struct {
	UseProtoNames bool // fields have the names of the .proto file, not those of JSON
}

// Marshal returns the message in its JSON form (ProtoJSON), which is YAML, too.
func (o MarshalOptions) Marshal(message proto.Message) ([]byte, error) {
	return protojson.MarshalOptions{UseProtoNames: o.UseProtoNames}.Marshal(message)
}

// Unmarshal sets message to what the YAML says. A field may have either name.
// A field that the message lacks is an error.
func Unmarshal(text []byte, message proto.Message) error {
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		return fmt.Errorf("protoyaml: %w", err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("protoyaml: a key of the YAML is not text: %w", err)
	}
	return protojson.Unmarshal(asJSON, message)
}
