package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// deleteWithin is how long it may take to delete what was made.
const deleteWithin = 15 * time.Second

// Job is a run in the cluster. Its methods may be called from any goroutine.
type Job struct {
	launcher *Launcher
	name     string
	uid      types.UID
	secret   types.UID // empty when it is not known to be there
	peers    []string

	mu   sync.Mutex
	pods map[int]*corev1.Pod // guarded by mu; by index, as they were seen last
	// refusal is why pods are not made; guarded by mu, empty while they are.
	refusal string
}

func newHandle(l *Launcher, job *batchv1.Job, peers []string) *Job {
	return &Job{launcher: l, name: job.Name, uid: job.UID, peers: peers, pods: map[int]*corev1.Pod{}}
}

// Name is that of the Job and of the Secret.
func (j *Job) Name() string { return j.name }

// Namespace is where the Job and the Secret are.
func (j *Job) Namespace() string { return j.launcher.api.namespace }

// Close deletes the Secret and the Job. The cluster deletes the pods that are left by itself, which end then. It may be called again.
func (j *Job) Close(ctx context.Context) error {
	api := j.launcher.api
	gone := func(err error) error {
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // a conflict: the name is another's by now
			return nil
		}
		return err
	}
	var err error
	if j.secret != "" { // else the cluster deletes it after the Job, should it be there
		err = gone(api.deleteSecret(ctx, j.name, &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &j.secret}}))
	}
	err = errors.Join(err, gone(api.deleteJob(ctx, j.name, &metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &j.uid}, PropagationPolicy: new(metav1.DeletePropagationBackground),
	})))
	if err != nil {
		return fmt.Errorf("delete job %s in namespace %s: %w", j.name, api.namespace, err)
	}
	return nil
}
