package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// gather is how long news are gathered, so that pods with the same trouble share a line.
	gather = 300 * time.Millisecond
	// again is the time before a watch that was lost is tried again.
	again = time.Second
	// eventsEvery is how often it is asked why there are fewer pods than peers: the status of a Job does not tell.
	eventsEvery = 2 * time.Second
)

// Follow watches the pods until ctx ends. tell gets a line for each new trouble, and over the name of each peer whose pod has
// ended, once, after what is told of it. They are called one at a time, and end before Follow does.
func (j *Job) Follow(ctx context.Context, tell, over func(string)) {
	f := &follower{job: j, tell: tell, over: over, told: map[int]string{}, lost: map[int]bool{}}
	for ctx.Err() == nil {
		err := f.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && err.Error() != f.trouble {
			f.trouble = err.Error()
			tell("the pods cannot be watched: " + f.trouble)
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// follower is what Follow knows of one job.
type follower struct {
	job        *Job
	tell, over func(string)
	told       map[int]string // the reasons that were told, by index
	lost       map[int]bool   // whose pod has ended
	// trouble is why the last watch failed; refusal is which reason for missing pods was told.
	trouble, refusal string
}

// watch lists the pods and follows their changes until the cluster ends the stream, as it does now and then.
func (f *follower) watch(ctx context.Context) error {
	j := f.job
	api := j.launcher.api
	ofJob := metav1.ListOptions{LabelSelector: labels.Set{batchv1.ControllerUidLabel: string(j.uid)}.String()}
	list, err := api.pods(ctx, ofJob)
	if err != nil {
		return err
	}
	j.seeAll(list.Items)
	ofJob.ResourceVersion = list.ResourceVersion
	stream, err := api.watchPods(ctx, ofJob)
	if err != nil {
		return err
	}
	defer stream.Stop()
	f.trouble = ""
	f.report()
	missing := time.NewTicker(eventsEvery)
	defer missing.Stop()
	var soon <-chan time.Time
	for {
		select {
		case e, ok := <-stream.ResultChan():
			if !ok {
				return nil
			}
			if e.Type == watch.Error {
				return watchError(e)
			}
			if pod, ok := e.Object.(*corev1.Pod); ok {
				j.see(pod, e.Type == watch.Deleted)
			}
			if soon == nil {
				soon = time.After(gather)
			}
		case <-soon:
			soon = nil
			f.report()
		case <-missing.C:
			f.explainMissing(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// watchError is the error that a stream ends with. That it began too long ago is none: the next list knows all.
func watchError(e watch.Event) error {
	err := apierrors.FromObject(e.Object)
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return nil
	}
	return err
}

// report tells of what is new.
func (f *follower) report() {
	now := f.job.situations()
	for _, line := range news(f.job.peers, now, f.told) {
		f.tell(line)
	}
	for i, s := range now {
		if s.over && !f.lost[i] {
			f.lost[i] = true
			f.over(f.job.peers[i])
		}
	}
}

// explainMissing asks for events of the Job while it has fewer pods than peers. Who may not read events is told nothing.
func (f *follower) explainMissing(ctx context.Context) {
	j := f.job
	j.mu.Lock()
	whole := len(j.pods) >= len(j.peers)
	if whole {
		j.refusal = ""
	}
	j.mu.Unlock()
	if whole {
		return
	}
	list, err := j.launcher.api.events(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": string(j.uid), "type": corev1.EventTypeWarning}.String(),
	})
	if err != nil || len(list.Items) == 0 {
		return
	}
	last := list.Items[0]
	for _, e := range list.Items[1:] {
		if e.LastTimestamp.After(last.LastTimestamp.Time) {
			last = e
		}
	}
	text := sentence("the job cannot make its pods: "+last.Reason, last.Message)
	j.mu.Lock()
	j.refusal = text
	j.mu.Unlock()
	if f.refusal != last.Reason { // the message has the name of another pod each time
		f.refusal = last.Reason
		f.tell(text)
	}
}

// seeAll takes in all pods that there are.
func (j *Job) seeAll(pods []corev1.Pod) {
	j.mu.Lock()
	old := maps.Clone(j.pods)
	j.mu.Unlock()
	for i := range pods {
		j.see(&pods[i], false)
		if at, ok := indexOf(&pods[i], len(j.peers)); ok {
			delete(old, at)
		}
	}
	for _, pod := range old { // it went while nobody watched
		j.see(pod, true)
	}
}

// see takes in a pod as it is now. One that was deleted is kept as one that has ended, since nothing comes after it.
func (j *Job) see(pod *corev1.Pod, deleted bool) {
	i, ok := indexOf(pod, len(j.peers))
	if !ok {
		return
	}
	if deleted && !situationOf(pod).over {
		pod = pod.DeepCopy()
		pod.Status.Phase, pod.Status.Reason, pod.Status.Message = corev1.PodFailed, "Deleted", ""
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if known := j.pods[i]; known != nil && known.UID != pod.UID && situationOf(known).over && deleted {
		return
	}
	j.pods[i] = pod
}

// situations are those of all pods that there are, by index.
func (j *Job) situations() map[int]situation {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := make(map[int]situation, len(j.pods))
	for i, pod := range j.pods {
		now[i] = situationOf(pod)
	}
	return now
}

// Fallen are the peers whose pods have ended otherwise than with exit code 0. It waits until all pods have ended, or ctx ends; then those count
// that are known to have. Follow must run meanwhile.
func (j *Job) Fallen(ctx context.Context) []string {
	tick := time.NewTicker(gather)
	defer tick.Stop()
	for {
		now, running := j.situations(), 0
		for _, s := range now {
			if !s.over {
				running++
			}
		}
		if running == 0 || ctx.Err() != nil {
			return fallen(j.peers, now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// Whereabouts is what is known of the pod of a peer.
func (j *Job) Whereabouts(name string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, peer := range j.peers {
		if peer != name {
			continue
		}
		pod := j.pods[i]
		switch {
		case pod == nil && j.refusal != "":
			return j.refusal
		case pod == nil:
			return "the job has made no pod for it yet"
		}
		if s := situationOf(pod); s.text != "" {
			return fmt.Sprintf("pod %s: %s", pod.Name, s.text)
		}
		return fmt.Sprintf("pod %s is %s, on node %s", pod.Name, pod.Status.Phase, orNone(pod.Spec.NodeName))
	}
	return "no pod is for it"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
