package kubernetes

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// situation is what is to be told of a pod.
type situation struct {
	// reason is a word that stays the same while text, for people, may change; empty when all is well.
	reason, text string
	// over is whether the pod has ended.
	over bool
}

// stuck are reasons for which a container waits that are not simply its turn.
func stuck(reason string) bool {
	return reason != "" && reason != "ContainerCreating" && reason != "PodInitializing"
}

// situationOf looks at the status of a pod.
func situationOf(pod *corev1.Pod) situation {
	for _, s := range pod.Status.ContainerStatuses {
		if end := s.State.Terminated; s.Name == container && end != nil {
			return ended(pod, end)
		}
	}
	switch {
	case pod.Status.Phase == corev1.PodFailed, pod.Status.Phase == corev1.PodSucceeded:
		reason := cmp.Or(pod.Status.Reason, string(pod.Status.Phase))
		return situation{reason: reason, text: sentence("pod has ended: "+reason, pod.Status.Message), over: true}
	case pod.DeletionTimestamp != nil:
		return situation{reason: "Deleted", text: "pod is being deleted"}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return situation{reason: cmp.Or(c.Reason, "Unschedulable"), text: sentence("pod has no node: "+cmp.Or(c.Reason, "Unschedulable"), c.Message)}
		}
	}
	for _, s := range pod.Status.ContainerStatuses {
		if wait := s.State.Waiting; s.Name == container && wait != nil && stuck(wait.Reason) {
			return situation{reason: family(wait.Reason), text: sentence("container does not start: "+wait.Reason, wait.Message)}
		}
	}
	return situation{}
}

// ended is the situation of a pod whose container has ended. A normal end is nothing to tell.
func ended(pod *corev1.Pod, end *corev1.ContainerStateTerminated) situation {
	s := situation{over: true}
	if end.ExitCode == 0 {
		return s
	}
	s.reason = cmp.Or(pod.Status.Reason, end.Reason, "Error")
	s.text = fmt.Sprintf("ended with exit code %d", end.ExitCode)
	if s.reason != "Error" { // which says nothing more
		s.text += " (" + s.reason + ")"
	}
	s.text = sentence(s.text, cmp.Or(end.Message, pod.Status.Message))
	return s
}

// family is one word for reasons that take turns: a pull is tried again and again.
func family(reason string) string {
	if reason == "ErrImagePull" || reason == "ImagePullBackOff" {
		return "ErrImagePull"
	}
	return reason
}

// textLimit bounds what others have written, in bytes: a scheduler has much to say of a hundred nodes.
const textLimit = 400

// sentence joins what is known to what others say of it, on one line.
func sentence(known, message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > textLimit {
		message = strings.ToValidUTF8(message[:textLimit], "") + "…"
	}
	if message == "" {
		return known
	}
	return known + ": " + message
}

// indexOf is which peer a pod is for; false for a pod that does not say so, or is of none of n.
func indexOf(pod *corev1.Pod, n int) (int, bool) {
	text := cmp.Or(pod.Annotations[batchv1.JobCompletionIndexAnnotation], pod.Labels[batchv1.JobCompletionIndexAnnotation])
	i, err := strconv.Atoi(text)
	return i, err == nil && i >= 0 && i < n
}

// namesShown is how many names one line has at most.
const namesShown = 5

// news are the lines about peers whose trouble has not been told; told keeps what was. Peers with the same trouble share a
// line.
func news(names []string, now map[int]situation, told map[int]string) []string {
	of := map[string][]string{}
	var texts []string
	for i, name := range names {
		s := now[i]
		if s.reason == told[i] {
			continue
		}
		told[i] = s.reason
		if s.reason == "" {
			continue
		}
		if of[s.text] == nil {
			texts = append(texts, s.text)
		}
		of[s.text] = append(of[s.text], name)
	}
	var lines []string
	for _, text := range texts {
		lines = append(lines, some(of[text])+": "+text)
	}
	return slices.Clip(lines)
}

// fallen are those whose pods have ended, and not well.
func fallen(names []string, now map[int]situation) []string {
	var out []string
	for i, name := range names {
		if s := now[i]; s.over && s.reason != "" && s.reason != string(corev1.PodSucceeded) {
			out = append(out, name)
		}
	}
	return out
}

// some are names, but not so many that they flood a screen.
func some(names []string) string {
	shown := strings.Join(names[:min(len(names), namesShown)], ", ")
	if n := len(names) - namesShown; n > 0 {
		shown += fmt.Sprintf(" and %d more", n)
	}
	return shown
}
