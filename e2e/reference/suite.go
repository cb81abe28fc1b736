//go:build tools

// The reference's own end-to-end tests, as its module carries them, pinned here with all that they are built from
// (tools/e2e reference).
package reference

import (
	_ "sigs.k8s.io/agent-sandbox/test/e2e"
	_ "sigs.k8s.io/agent-sandbox/test/e2e/framework"
)
