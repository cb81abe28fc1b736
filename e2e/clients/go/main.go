// The Go SDK as it is published, driven by lines of JSON like its siblings in Python (harness/sdk_worker.py): an order a line in, its
// answer a line out. An order is one call of the SDK; what it can say is in `answer`.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/agent-sandbox/clients/go/sandbox"
)

type order struct {
	Do, Namespace, Pool, Claim string
}

type answer struct {
	Claim       string            `json:"claim,omitempty"`
	Sandbox     string            `json:"sandbox,omitempty"`
	Pod         string            `json:"pod,omitempty"`
	IP          string            `json:"ip,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Ready       bool              `json:"ready"`
	Names       []string          `json:"names,omitempty"`
}

func say(s *sandbox.Sandbox) *answer {
	return &answer{Claim: s.ClaimName(), Sandbox: s.SandboxName(), Pod: s.PodName(), IP: s.PodIP(), Annotations: s.Annotations(), Ready: s.IsReady()}
}

func do(ctx context.Context, client *sandbox.Client, o order) (*answer, error) {
	switch o.Do {
	case "create":
		made, err := client.CreateSandbox(ctx, o.Pool, o.Namespace)
		if err != nil {
			return nil, err
		}
		return say(made), nil
	case "get":
		found, err := client.GetSandbox(ctx, o.Claim, o.Namespace)
		if err != nil {
			return nil, err
		}
		return say(found), nil
	case "list":
		names, err := client.ListAllSandboxes(ctx, o.Namespace)
		return &answer{Names: names}, err
	case "delete":
		return &answer{}, client.DeleteSandbox(ctx, o.Claim, o.Namespace)
	}
	return nil, fmt.Errorf("no order %q", o.Do)
}

func main() {
	client, err := sandbox.NewClient(context.Background(), sandbox.Options{
		APIURL: os.Getenv("SANDBOX_API_URL"), SandboxReadyTimeout: 20 * time.Second, Quiet: true,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var o order
		reply := map[string]any{"error": nil}
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			reply["error"] = err.Error()
		} else if reply["result"], err = do(context.Background(), client, o); err != nil {
			reply["error"] = err.Error()
		}
		if err := out.Encode(reply); err != nil {
			os.Exit(1)
		}
	}
}
