//go:build tools

package gvisor

import (
	_ "gvisor.dev/gvisor/runsc"
)
