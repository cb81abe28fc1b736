//go:build tools

// Package tools names the program that tools/h2spec builds, so that go.mod keeps what it needs.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
