// Package protoyaml reads and writes protobuf messages as YAML. A line in go.mod
// puts it in the place of the module buf.build/go/protoyaml. Only package livekit
// of livekit/protocol calls Marshal and Unmarshal; this program does not.
//
// The original module also validates messages by expressions. The parser and
// interpreter of the expressions would take 4.8 MB of the binary, and 4 MB of the
// memory of an idle service.
package protoyaml

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// MarshalOptions says how messages are written.
type MarshalOptions struct {
	UseProtoNames bool // whether fields have the names in the .proto file instead of the names in JSON
}

// Marshal returns message in its JSON form (ProtoJSON), which is valid YAML.
func (o MarshalOptions) Marshal(message proto.Message) ([]byte, error) {
	return protojson.MarshalOptions{UseProtoNames: o.UseProtoNames}.Marshal(message)
}

// Unmarshal sets message to the content of the YAML. A field may have its name in
// JSON or in the .proto file. A name that is no field of message is an error.
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
