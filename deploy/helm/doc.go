// Package helm has the chart for Kubernetes, and holds what Helm makes of it
// against the types of Kubernetes and the variables of the program.
package helm

//go:generate go run ./gendoc .
