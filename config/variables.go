package config

import "reflect"

// Variable describes one environment variable.
type Variable struct {
	Name    string
	Default string // "" for none
	Meaning string
}

// Variables describes every variable, in the order of [Environment].
func Variables() []Variable {
	fields := reflect.TypeFor[Environment]()
	list := make([]Variable, fields.NumField())
	for i := range list {
		tag := fields.Field(i).Tag
		list[i] = Variable{tag.Get("envconfig"), tag.Get("unset"), tag.Get("meaning")}
	}
	return list
}

func names() map[string]bool {
	set := map[string]bool{}
	for _, v := range Variables() {
		set[v.Name] = true
	}
	return set
}

// describe tells every value its name and its default.
func (e *Environment) describe() {
	fields := reflect.ValueOf(e).Elem()
	for i, v := range Variables() {
		value := fields.Field(i).Addr().Interface().(*Value)
		value.name, value.preset = v.Name, v.Default
	}
}

func (e Environment) values() []Value {
	fields := reflect.ValueOf(e)
	list := make([]Value, fields.NumField())
	for i := range list {
		list[i] = fields.Field(i).Interface().(Value)
	}
	return list
}
