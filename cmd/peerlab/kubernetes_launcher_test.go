package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"peerlab.example/peerlab/internal/kubernetes"
)

// launcher asks the package itself for what a command line does not reach, of an API server that validates, and tells conflicts.
func launcher(t *testing.T, k *kubelet) {
	ns := k.namespace(t, "launcher")
	spec := kubernetes.Spec{Name: "one", Title: "a title: of anything\x00 “at all”", Peers: []string{"alice"}, Args: []string{"version"}, Deadline: time.Minute}
	l, err := kubernetes.New(kubernetes.Config{Kubeconfig: k.kubeconfig, Namespace: ns, Image: image, CPU: "10m", Memory: "16Mi"})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("same name at once", func(t *testing.T) { sameName(t, l, spec) })
	t.Run("secret refused", func(t *testing.T) { secretRefused(t, k, l, ns, spec) })
	t.Run("closed late", func(t *testing.T) { closedLate(t, k, l, ns, spec) })
	t.Run("as many as can be", func(t *testing.T) { manyPeers(t, k, spec) })
	t.Run("deadline", func(t *testing.T) { pastDeadline(t, k, ns, spec) })
	k.nothingLeft(t, ns)
}

// sameName launches runs with the same name at once: one of them is made, the others are told so.
func sameName(t *testing.T, l *kubernetes.Launcher, spec kubernetes.Spec) {
	const tries = 8
	jobs, errs := make([]*kubernetes.Job, tries), make([]error, tries)
	var launching sync.WaitGroup
	for i := range tries {
		launching.Go(func() { jobs[i], errs[i] = l.Launch(t.Context(), spec) })
	}
	launching.Wait()
	made := 0
	for i, job := range jobs {
		if job != nil {
			made++
			if err := errors.Join(job.Close(t.Context()), job.Close(t.Context())); err != nil { // again is no error
				t.Error(err)
			}
			continue
		}
		if err := errs[i]; !apierrors.IsAlreadyExists(errors.Unwrap(err)) && !strings.Contains(err.Error(), "another run has that name") || !kubernetes.Refused(err) {
			t.Errorf("the error of a name that is taken: %v", err)
		}
	}
	if made != 1 {
		t.Errorf("%d jobs were made: %v", made, errs)
	}
}

// secretRefused is a run whose Secret is not made: its Job does not stay.
func secretRefused(t *testing.T, k *kubelet, l *kubernetes.Launcher, ns string, spec kubernetes.Spec) {
	spec.Files = map[string][]byte{"no/name of a key": nil}
	if job, err := l.Launch(t.Context(), spec); job != nil || !kubernetes.Refused(err) {
		t.Errorf("%v, %v", job, err)
	}
	spec.Files = map[string][]byte{"large": make([]byte, corev1.MaxSecretSize+1)}
	if job, err := l.Launch(t.Context(), spec); job != nil || !kubernetes.Refused(err) {
		t.Errorf("%v, %v", job, err)
	}
	jobs, err := k.batch.Jobs(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) > 0 {
		t.Errorf("%d jobs are left, %v", len(jobs.Items), err)
	}
}

// closedLate is a run whose Job was deleted by another, and its name taken for another run: that one stays.
func closedLate(t *testing.T, k *kubelet, l *kubernetes.Launcher, ns string, spec kubernetes.Spec) {
	first, err := l.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.batch.Jobs(ns).Delete(t.Context(), spec.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the secret of a job that is gone", func(ctx context.Context) error {
		if len(k.secrets(ctx, t, ns)) > 0 {
			return errors.New("is left")
		}
		return nil
	})
	second, err := l.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := k.batch.Jobs(ns).Get(t.Context(), spec.Name, metav1.GetOptions{}); err != nil {
		t.Errorf("the second run: %v", err)
	}
	if left := k.secrets(t.Context(), t, ns); !slices.Equal(left, []string{spec.Name}) {
		t.Errorf("the secrets: %q", left)
	}
	if err := second.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// manyPeers is a Job of the largest size and with the longest name, which the API server takes. A quota keeps its pods from being made.
func manyPeers(t *testing.T, k *kubelet, spec kubernetes.Spec) {
	ns := k.namespace(t, "many")
	k.limitPods(t, ns, 0)
	spec.Peers, spec.Name = slices.Repeat([]string{"x"}, 10_000), strings.Repeat("n", 57)
	l, err := kubernetes.New(kubernetes.Config{Kubeconfig: k.kubeconfig, Namespace: ns, Image: image})
	if err != nil {
		t.Fatal(err)
	}
	job, err := l.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if made, err := k.batch.Jobs(ns).Get(t.Context(), spec.Name, metav1.GetOptions{}); err != nil || *made.Spec.Completions != 10_000 {
		t.Errorf("%v, %v", made, err)
	}
	if err := job.Close(t.Context()); err != nil {
		t.Error(err)
	}
	k.nothingLeft(t, ns)
}

// pastDeadline is a run that nobody ends: its Job does so, and who follows it is told that its pods are gone.
func pastDeadline(t *testing.T, k *kubelet, ns string, spec kubernetes.Spec) {
	l, err := kubernetes.New(kubernetes.Config{Kubeconfig: k.kubeconfig, Namespace: ns, Image: noImage})
	if err != nil {
		t.Fatal(err)
	}
	spec.Deadline = time.Second
	job, err := l.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan string, 1)
	var told []string
	var following sync.WaitGroup
	following.Go(func() {
		job.Follow(ctx, func(line string) { told = append(told, line) }, func(name string) { over <- name })
	})
	select {
	case name := <-over:
		if name != "alice" {
			t.Errorf("%q is over", name)
		}
	case <-time.After(patience):
		t.Error("the pod does not end")
	}
	stop()
	following.Wait()
	if len(told) == 0 || !strings.HasPrefix(told[0], "alice: ") {
		t.Errorf("it was told %q", told)
	}
	if err := job.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
