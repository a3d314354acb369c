// Package helm holds the Helm chart for Kubernetes. Its tests check the objects
// that Helm makes from the chart against the types of Kubernetes and against
// the program's variables.
package helm

//go:generate go run ./gendoc .
