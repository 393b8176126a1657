package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// smallSuite passes as soon as its peers are there.
const smallSuite = "suite \"small\"\npeers alice bob\nall init\nexpect all within 30s members alive = 2\n"

// longSuite does not end by itself, but when bob does.
const longSuite = "suite \"long\"\npeers alice bob\nall init\nexpect all within 30s members alive = 2\nbob within 10m sleep 10m\n"

// saysAll checks that all of these were said.
func saysAll(t *testing.T, said string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(said, want) {
			t.Errorf("%q was not said", want)
		}
	}
	t.Log("\n" + said)
}

// imageMissing is told once for all peers, not each time that the pull is tried again.
func imageMissing(t *testing.T, k *kubelet) {
	ns, dir := k.namespace(t, "image"), t.TempDir()
	said := k.coordinate(t, ns, writeSuite(t, smallSuite), "--image", noImage, "--attach-timeout", "5s", "--logs", dir).ends(t, 1)
	if n := strings.Count(said, "peerlab: error:"); n != 1 {
		t.Errorf("%d errors", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "alice.log")); err == nil {
		t.Error("there is a log of a peer that never was")
	}
	saysAll(t, said, "not attached within 5s: alice, bob", "container does not start: ")
	if n := strings.Count(said, "note alice"); n != 1 {
		t.Errorf("the trouble was told %d times", n)
	}
	k.nothingLeft(t, ns)
}

// noNode is a run whose pods the scheduler has no node for.
func noNode(t *testing.T, k *kubelet) {
	ns := k.namespace(t, "unschedulable")
	said := k.coordinate(t, ns, writeSuite(t, smallSuite), "--node-selector", "disk=fast", "--attach-timeout", "5s").ends(t, 1)
	saysAll(t, said, "note alice", ": pod has no node: Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector",
		"not attached within 5s: alice, bob", "alice | pod peerlab-small-")
	k.nothingLeft(t, ns)
}

// quota forbids the second pod of two.
func quota(t *testing.T, k *kubelet) {
	ns := k.namespace(t, "quota")
	k.limitPods(t, ns, 1)
	said := k.coordinate(t, ns, writeSuite(t, smallSuite), "--attach-timeout", "10s").ends(t, 1)
	saysAll(t, said, "note the job cannot make its pods: FailedCreate: ", "exceeded quota: few", "not attached within 10s")
	k.nothingLeft(t, ns)
}

// limitPods makes a quota of pods, and waits until it is in force.
func (c *cluster) limitPods(t *testing.T, ns string, n int64) {
	t.Helper()
	limit := corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(n, resource.DecimalSI)}
	if _, err := c.core.ResourceQuotas(ns).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "few"}, Spec: corev1.ResourceQuotaSpec{Hard: limit},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the quota", func(ctx context.Context) error {
		q, err := c.core.ResourceQuotas(ns).Get(ctx, "few", metav1.GetOptions{})
		if err == nil && len(q.Status.Hard) == 0 {
			err = errors.New("is not in force")
		}
		return err
	})
}

// podKilled is a peer that dies in the middle of a run, as for want of memory.
func podKilled(t *testing.T, k *kubelet) {
	ns, dir := k.namespace(t, "kill"), t.TempDir()
	run := k.coordinate(t, ns, writeSuite(t, longSuite), "--logs", dir)
	run.says(t, "members alive = 2")
	if err := k.find(ns, 1).kill(); err != nil {
		t.Fatal(err)
	}
	said := run.ends(t, 1)
	saysAll(t, said, "FAIL long", "ended with exit code 137", "bob | ", "attached to the coordinator")
	if !strings.Contains(read(t, dir, "bob.log"), "attached to the coordinator") || read(t, dir, "bob.events.jsonl") == "" {
		t.Error("what bob has written is not in its files")
	}
	k.nothingLeft(t, ns)
}

// podDeleted is a pod that somebody deletes in the middle of a run, as those do who empty a node: its peer gets SIGTERM, and ends.
func podDeleted(t *testing.T, k *kubelet) {
	ns := k.namespace(t, "delete")
	run := k.coordinate(t, ns, writeSuite(t, longSuite))
	run.says(t, "members alive = 2")
	if err := k.core.Pods(ns).Delete(t.Context(), k.find(ns, 1).pod.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	saysAll(t, run.ends(t, 1), "FAIL long", "ended with exit code 143")
	k.nothingLeft(t, ns)
}

// interruptedRun is ended by Ctrl-C while it goes on.
func interruptedRun(t *testing.T, k *kubelet) {
	ns := k.namespace(t, "interrupt")
	run := k.coordinate(t, ns, writeSuite(t, longSuite))
	run.says(t, "members alive = 2")
	if err := run.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	saysAll(t, run.ends(t, 130), "interrupted")
	k.nothingLeft(t, ns)

	run = k.coordinate(t, ns, writeSuite(t, longSuite), "--image", noImage) // and while it waits for peers
	run.says(t, "container does not start")
	if err := run.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	run.ends(t, 143)
	k.nothingLeft(t, ns)
}

// killedCoordinator leaves a Job whose peers notice, and end; the Secret goes with it.
func killedCoordinator(t *testing.T, k *kubelet) {
	ns := k.namespace(t, "killed")
	run := k.coordinate(t, ns, writeSuite(t, longSuite))
	run.says(t, "members alive = 2")
	if err := run.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var job string
	eventually(t, "the job", func(ctx context.Context) error {
		jobs, err := k.batch.Jobs(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		if len(jobs.Items) != 1 {
			t.Fatalf("%d jobs", len(jobs.Items))
		}
		job = jobs.Items[0].Name
		if jobs.Items[0].Status.Failed != 2 {
			return errors.New("peers are left")
		}
		return nil
	})
	for i := range 2 {
		if log := k.find(ns, i).log.String(); !strings.Contains(log, "is lost, so the run is over for this peer") {
			t.Errorf("a peer ends otherwise:\n%s", log)
		}
	}
	background := metav1.DeletePropagationBackground
	if err := k.batch.Jobs(ns).Delete(t.Context(), job, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the secret", func(ctx context.Context) error {
		if left := k.secrets(ctx, t, ns); len(left) > 0 {
			return errors.New("is left")
		}
		return nil
	})
	k.nothingLeft(t, ns)
}

// forbidden are users and namespaces that the cluster refuses: one line, and nothing was made.
func forbidden(t *testing.T, k *kubelet) {
	ns, file := k.namespace(t, "forbidden"), writeSuite(t, smallSuite)
	said := k.coordinate(t, ns, file, "--kubeconfig", k.user("stranger", strangerToken)).ends(t, 2)
	saysAll(t, said, `User "stranger" cannot create resource "jobs" in API group "batch" in the namespace "forbidden"`)
	if n := strings.Count(said, "peerlab: error:"); n != 1 {
		t.Errorf("%d errors", n)
	}
	k.nothingLeft(t, ns)
	said = k.coordinate(t, "nowhere", file).ends(t, 2)
	saysAll(t, said, `namespaces "nowhere" not found`)
	said = k.coordinate(t, ns, file, "--kubeconfig", k.user("nobody", "wrong-token")).ends(t, 2)
	saysAll(t, said, "Unauthorized")
}

// fewRights are users who may do only a part of what a run needs: what cannot be made ends it, what cannot be seen does not.
func fewRights(t *testing.T, k *kubelet) {
	ns, file := k.namespace(t, "rights"), writeSuite(t, smallSuite)
	config := k.user("stranger", strangerToken)
	k.permit(t, ns, "jobs", "[batch]", "[create, delete]")
	said := k.coordinate(t, ns, file, "--kubeconfig", config).ends(t, 2)
	saysAll(t, said, `User "stranger" cannot create resource "secrets"`)
	k.nothingLeft(t, ns)
	k.permit(t, ns, "secrets", `[""]`, "[create, delete]")
	said = k.coordinate(t, ns, file, "--kubeconfig", config).ends(t, 0)
	saysAll(t, said, "note the pods cannot be watched: ", "PASS small")
	k.nothingLeft(t, ns)
}

// permit allows verbs on a resource of a namespace to the one who may do nothing.
func (c *cluster) permit(t *testing.T, ns, resource, groups, verbs string) {
	t.Helper()
	for kind, spec := range map[string]string{
		"Role":        "rules: [{apiGroups: " + groups + ", resources: [" + resource + "], verbs: " + verbs + "}]",
		"RoleBinding": "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: " + resource + "}\nsubjects: [{kind: User, name: stranger}]",
	} {
		const api = "rbac.authorization.k8s.io/v1"
		text := "apiVersion: " + api + "\nkind: " + kind + "\nmetadata: {name: " + resource + "}\n" + spec
		if err := c.post(t.Context(), fmt.Sprintf(collections[api+" "+kind], ns), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
}

// notReached are kubeconfigs that are wrong, and a cluster that is not there.
func notReached(t *testing.T, k *kubelet) {
	file := writeSuite(t, smallSuite)
	gone := strings.ReplaceAll(read(t, k.kubeconfig), k.url, "https://"+k.address())
	said := k.coordinate(t, "default", file, "--kubeconfig", k.write("gone.kubeconfig", gone)).ends(t, 3)
	saysAll(t, said, "connection refused")
	said = k.coordinate(t, "default", file, "--kubeconfig", filepath.Join(t.TempDir(), "none")).ends(t, 2)
	saysAll(t, said, "no such file")
	said = k.coordinate(t, "default", file, "--context", "other").ends(t, 2)
	saysAll(t, said, `context "other" does not exist`)
	said = k.coordinate(t, "default", file, "--kubeconfig", k.write("broken.kubeconfig", "clusters: [")).ends(t, 2)
	saysAll(t, said, "kubeconfig")
}
