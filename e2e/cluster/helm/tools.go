//go:build tools

// Package tools names the program that is built from this module; it is never compiled itself.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
