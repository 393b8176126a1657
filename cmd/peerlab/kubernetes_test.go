package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestKubernetes runs suites on the runner kubernetes against a real control plane: the Job, its pods and their places are made by Kubernetes,
// and the pods are run by the test; see kubelet.
func TestKubernetes(t *testing.T) {
	c := startCluster(t)
	k := startKubelet(c, "node-1")
	for _, test := range []struct {
		name string
		run  func(*testing.T, *kubelet)
	}{
		{"suite passes", suitePasses},
		{"several runs", severalRuns},
		{"image missing", imageMissing},
		{"no node", noNode},
		{"quota", quota},
		{"pod killed", podKilled},
		{"pod deleted", podDeleted},
		{"interrupted", interruptedRun},
		{"killed", killedCoordinator},
		{"forbidden", forbidden},
		{"few rights", fewRights},
		{"not reached", notReached},
		{"launcher", launcher},
		{"manifests", manifests},
		{"inside a cluster", insideCluster},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, k) })
	}
}

// suitePasses is a run where all is well: peers attach over TLS, with the run's own CA, and nothing is left of them but files.
func suitePasses(t *testing.T, k *kubelet) {
	ns, dir := k.namespace(t, "lab"), t.TempDir()
	run := k.coordinate(t, ns, filepath.Join(repository(), "examples", "first.lab"), "--cpu", "100m", "--memory", "64Mi",
		"--logs", filepath.Join(dir, "logs"), "--report", filepath.Join(dir, "report"))
	said := run.ends(t, 0)
	for _, want := range []string{"3 pods attach to 127.0.0.1:", "(3 of 3)", "PASS first steps  3 peers"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q was not said", want)
		}
	}
	if strings.Contains(said, "note ") {
		t.Error("there was something to note")
	}
	t.Log("\n" + said)
	for _, peer := range []string{"alice", "bob", "carol"} {
		log := read(t, dir, "logs", peer+".log")
		if !strings.Contains(log, "peer "+peer+" serves gRPC on "+k.net) || strings.Contains(log, "level=error") {
			t.Errorf("the log of %s:\n%s", peer, log)
		}
		events := strings.Split(strings.TrimSpace(read(t, dir, "logs", peer+".events.jsonl")), "\n")
		for _, line := range events {
			if !json.Valid([]byte(line)) {
				t.Errorf("an event of %s is no JSON: %q", peer, line)
			}
		}
		if len(events) < 5 {
			t.Errorf("%d events of %s", len(events), peer)
		}
	}
	if !strings.Contains(read(t, dir, "report", "run.json"), `"kubernetes"`) {
		t.Error("the report does not name the runner")
	}
	k.nothingLeft(t, ns)
}

// severalRuns are at the same time in the same namespace.
func severalRuns(t *testing.T, k *kubelet) {
	ns, dir := k.namespace(t, "several"), t.TempDir()
	file := writeSuite(t, "suite \"two\"\npeers alice bob\nall init\nexpect all within 30s members alive = 2\n")
	said := k.coordinate(t, ns, file, "--repeat", "2", "--parallel", "2", "--logs", dir).ends(t, 0)
	if !strings.Contains(said, "2 of 2 runs passed") {
		t.Errorf("not both have passed:\n%s", said)
	}
	for _, round := range []string{"two-1", "two-2"} {
		if read(t, dir, round, "alice.log") == "" || read(t, dir, round, "bob.events.jsonl") == "" {
			t.Errorf("%s: nothing was kept", round)
		}
	}
	k.nothingLeft(t, ns)
}

// coordinate starts a run in a namespace.
func (c *cluster) coordinate(t *testing.T, ns, file string, args ...string) *background {
	t.Helper()
	return startPeerlab(t, append([]string{
		"coordinator", "run", "--runner", "kubernetes", "--image", image, "--listen", "127.0.0.1:0", "--kubeconfig", c.kubeconfig, "--namespace", ns, file,
	}, args...)...)
}

// startPeerlab starts the program, which is killed when the test ends before it.
func startPeerlab(t *testing.T, args ...string) *background {
	t.Helper()
	b := &background{cmd: exec.Command("peerlab", args...), done: make(chan struct{})}
	b.cmd.Dir = t.TempDir()
	b.cmd.Env = append(os.Environ(), homeAt(b.cmd.Dir)...)
	b.cmd.Stdout, b.cmd.Stderr = &b.output, &b.output
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(b.done)
		_ = b.cmd.Wait() // the state tells
	}()
	t.Cleanup(func() {
		_ = b.cmd.Process.Kill() // it may have ended
		<-b.done
	})
	return b
}

// ends waits until the program ends with this code, and returns what it has said.
func (b *background) ends(t *testing.T, code int) string {
	t.Helper()
	select {
	case <-b.done:
	case <-time.After(2 * patience):
		t.Fatalf("it does not end:\n%s", b.output.String())
	}
	if got := b.cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("it ends with %d, want %d:\n%s", got, code, b.output.String())
	}
	return b.output.String()
}

// says waits until the program has said something.
func (b *background) says(t *testing.T, what string) {
	t.Helper()
	eventually(t, "what the program says", func(context.Context) error {
		if said := b.output.String(); !strings.Contains(said, what) {
			return fmt.Errorf("%q is not in:\n%s", what, said)
		}
		return nil
	})
}

// nothingLeft waits until nothing of the runs in a namespace is left: Jobs and Secrets at once, pods when they have ended.
func (c *cluster) nothingLeft(t *testing.T, ns string) {
	t.Helper()
	jobs, err := c.batch.Jobs(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) > 0 {
		t.Errorf("jobs that are left: %d, %v", len(jobs.Items), err)
	}
	if left := c.secrets(t.Context(), t, ns); len(left) > 0 {
		t.Errorf("secrets that are left: %q", left)
	}
	eventually(t, "the pods", func(ctx context.Context) error {
		pods, err := c.core.Pods(ns).List(ctx, metav1.ListOptions{})
		if err == nil && len(pods.Items) > 0 {
			err = fmt.Errorf("%d are left", len(pods.Items))
		}
		return err
	})
}

// secrets are the names of those of the runs in a namespace.
func (c *cluster) secrets(ctx context.Context, t *testing.T, ns string) []string {
	t.Helper()
	list, err := c.core.Secrets(ns).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=peerlab"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range list.Items {
		names = append(names, s.Name)
	}
	return names
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// writeSuite writes a suite to a file.
func writeSuite(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "one.lab")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
