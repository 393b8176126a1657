package kubernetes

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podWith is a pod whose container has that state.
func podWith(phase corev1.PodPhase, state corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "sidecar", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 7}}}, // as some clusters add
		{Name: container, State: state},
	}}}
}

func waiting(reason, message string) *corev1.Pod {
	return podWith(corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
}

func terminated(code int32, reason, message string) *corev1.Pod {
	return podWith(corev1.PodFailed, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}})
}

func TestSituationOf(t *testing.T) {
	t.Parallel()
	now := metav1.Now()
	evicted := terminated(137, "Error", "")
	evicted.Status.Reason, evicted.Status.Message = "Evicted", "The node was low on resource: memory."
	tests := map[string]struct {
		pod  *corev1.Pod
		want situation
	}{
		"new":      {&corev1.Pod{}, situation{}},
		"its turn": {waiting("ContainerCreating", ""), situation{}},
		"running":  {podWith(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), situation{}},
		"no image": {
			waiting("ErrImagePull", "not\n  found"),
			situation{reason: "ErrImagePull", text: "container does not start: ErrImagePull: not found"},
		},
		"no image, again": {
			waiting("ImagePullBackOff", "Back-off"),
			situation{reason: "ErrImagePull", text: "container does not start: ImagePullBackOff: Back-off"},
		},
		"bad name": {waiting("InvalidImageName", ""), situation{reason: "InvalidImageName", text: "container does not start: InvalidImageName"}},
		"no node": {
			&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "other"},
				{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available"},
			}}},
			situation{reason: "Unschedulable", text: "pod has no node: Unschedulable: 0/3 nodes are available"},
		},
		"ended well": {terminated(0, "Completed", ""), situation{over: true}},
		"ended badly": {
			terminated(3, "Error", ""),
			situation{reason: "Error", text: "ended with exit code 3", over: true},
		},
		"no memory": {
			terminated(137, "OOMKilled", ""),
			situation{reason: "OOMKilled", text: "ended with exit code 137 (OOMKilled)", over: true},
		},
		"evicted": {
			evicted,
			situation{reason: "Evicted", text: "ended with exit code 137 (Evicted): The node was low on resource: memory.", over: true},
		},
		"ended, and is deleted": {
			&corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}, Status: terminated(1, "Error", "").Status},
			situation{reason: "Error", text: "ended with exit code 1", over: true},
		},
		"is deleted": {
			&corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}},
			situation{reason: "Deleted", text: "pod is being deleted"},
		},
		"failed as a whole": {
			&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "NodeLost", Message: "the node is gone"}},
			situation{reason: "NodeLost", text: "pod has ended: NodeLost: the node is gone", over: true},
		},
		"gone": {
			&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed}},
			situation{reason: "Failed", text: "pod has ended: Failed", over: true},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, situationOf(test.pod), cmp.AllowUnexported(situation{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestNews checks that trouble is told once, and one trouble of many pods on one line.
func TestNews(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c", "d", "e", "f", "g"}
	pull := situation{reason: "ErrImagePull", text: "no image"}
	backoff := situation{reason: "ErrImagePull", text: "no image, later again"}
	died := situation{reason: "Error", text: "ended", over: true}
	told := map[int]string{}
	for i, step := range []struct {
		now  map[int]situation
		want []string
	}{
		{map[int]situation{}, nil},
		{map[int]situation{0: pull, 2: pull, 3: died}, []string{"a, c: no image", "d: ended"}},
		{map[int]situation{0: backoff, 1: pull, 2: {}, 3: died}, []string{"b: no image"}},
		{map[int]situation{0: backoff, 1: pull, 2: pull, 3: died}, []string{"c: no image"}}, // it was well in between
		{map[int]situation{0: died, 1: died, 2: died, 3: died, 4: died, 5: died, 6: died}, []string{"a, b, c, e, f and 1 more: ended"}},
	} {
		if diff := cmp.Diff(step.want, news(names, step.now, told)); diff != "" {
			t.Errorf("step %d: -want +got:\n%s", i+1, diff)
		}
	}
}

func TestFallen(t *testing.T) {
	t.Parallel()
	now := map[int]situation{
		0: {over: true}, 1: {over: true, reason: "Error"}, 2: {reason: "ErrImagePull"}, 4: {over: true, reason: string(corev1.PodSucceeded)},
	}
	if got, want := fallen([]string{"a", "b", "c", "d", "e"}, now), []string{"b"}; !cmp.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSentence bounds what others have written, without half a character.
func TestSentence(t *testing.T) {
	t.Parallel()
	got := sentence("known", strings.Repeat("ö\n", 1000))
	if len(got) > len("known: …")+textLimit || !utf8.ValidString(got) || strings.Contains(got, "\n") || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	if got := sentence("known", " \n"); got != "known" {
		t.Errorf("%q", got)
	}
}

func TestIndexOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"0": 0, "2": 2, "3": -1, "-1": -1, "": -1, "two": -1, "99999999999999999999": -1} {
		for _, meta := range []metav1.ObjectMeta{
			{Annotations: map[string]string{batchv1.JobCompletionIndexAnnotation: text}},
			{Labels: map[string]string{batchv1.JobCompletionIndexAnnotation: text}},
		} {
			i, ok := indexOf(&corev1.Pod{ObjectMeta: meta}, 3)
			if ok != (want >= 0) || ok && i != want {
				t.Errorf("%q: %d, %v, want %d", text, i, ok, want)
			}
		}
	}
}

// TestSee checks what is known of a peer's pod when pods come, change, and go.
func TestSee(t *testing.T) {
	t.Parallel()
	indexed := func(n string, pod *corev1.Pod) *corev1.Pod {
		pod.Name, pod.UID = "pod-"+n, types.UID(n)
		pod.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: "1"}
		return pod
	}
	j := newHandle(nil, &batchv1.Job{}, []string{"alice", "bob"})
	check := func(want string) {
		t.Helper()
		if got := j.Whereabouts("bob"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	check("the job has made no pod for it yet")
	j.refusal = "no more pods"
	check("no more pods")
	running := indexed("1", podWith(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}))
	j.seeAll([]corev1.Pod{*running})
	check("pod pod-1 is Running, on node none")
	running.Spec.NodeName = "n"
	j.see(running, false)
	check("pod pod-1 is Running, on node n")
	j.seeAll(nil) // it was deleted while nobody watched
	check("pod pod-1: pod has ended: Deleted")
	other := indexed("2", terminated(9, "Error", ""))
	j.see(other, true) // one that is gone, too, does not take its place
	check("pod pod-1: pod has ended: Deleted")
	j.see(other, false)
	check("pod pod-2: ended with exit code 9")
	if got := j.Whereabouts("carol"); got != "no pod is for it" {
		t.Error(got)
	}
}
