package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/anteroom/anteroom/event/eventpb"
)

// eventSchema is the part of the wire contract that stream reports take, as a .proto file for ClickHouse. Fields that it lacks are
// skipped by the reader. Enumerations are numbers, as they are on the wire.
func eventSchema() string {
	wanted := map[protoreflect.FullName]bool{}
	messages := []protoreflect.MessageDescriptor{
		(*eventpb.Event)(nil).ProtoReflect().Descriptor(),
		(*eventpb.StreamReport)(nil).ProtoReflect().Descriptor(),
		(*eventpb.StreamSample)(nil).ProtoReflect().Descriptor(),
	}
	for _, m := range messages {
		wanted[m.FullName()] = true
	}
	var out strings.Builder
	fmt.Fprintf(&out, "syntax = \"proto3\";\npackage %s;\n", messages[0].FullName().Parent())
	for _, m := range messages {
		fmt.Fprintf(&out, "message %s {\n", m.Name())
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			kind, label := f.Kind().String(), ""
			switch {
			case f.Kind() == protoreflect.EnumKind:
				kind = "int32"
			case f.Message() != nil && !wanted[f.Message().FullName()]:
				continue
			case f.Message() != nil:
				kind = string(f.Message().Name())
			}
			switch {
			case f.IsList():
				label = "repeated "
			case f.HasOptionalKeyword():
				label = "optional "
			}
			fmt.Fprintf(&out, "  %s%s %s = %d;\n", label, kind, f.Name(), f.Number())
		}
		out.WriteString("}\n")
	}
	return out.String()
}
