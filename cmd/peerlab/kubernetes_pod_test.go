package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// image is a container image whose entry point is peerlab, which a node has, the one of the manifests; noImage is one that cannot be had.
const image, noImage = "registry.example/peerlab:1", "registry.example/missing:1"

// nowhere is a path at which no folder can be made: the root of a pod is read-only.
const nowhere = "/dev/null"

// livePod is a pod on its node, with one container.
type livePod struct {
	*kubelet
	pod *corev1.Pod // as it was seen first
	ip  string
	log *podLog

	mu      sync.Mutex
	process *os.Process // guarded by mu; nil while there is none

	deleted chan struct{} // closed when the pod is to be deleted
	once    sync.Once
}

func (p *livePod) delete() { p.once.Do(func() { close(p.deleted) }) }

// kill ends the container as one that had too much memory.
func (p *livePod) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return errors.New("it does not run")
	}
	return p.process.Kill()
}

func (p *livePod) started() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process != nil
}

// live is all that a node does for a pod.
func (p *livePod) live(ctx context.Context) {
	terminated := p.run(ctx)
	p.log.close()
	if terminated == nil { // it was deleted, or the test has ended, before it ran
		terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"}
	}
	phase := corev1.PodSucceeded
	if terminated.ExitCode != 0 {
		phase = corev1.PodFailed
	}
	terminated.FinishedAt = metav1.Now()
	p.show(ctx, phase, corev1.ContainerState{Terminated: terminated})
	select {
	case <-p.deleted:
		for ctx.Err() == nil {
			err := p.core.Pods(p.pod.Namespace).Delete(ctx, p.pod.Name, metav1.DeleteOptions{
				GracePeriodSeconds: new(int64(0)), Preconditions: &metav1.Preconditions{UID: &p.pod.UID},
			})
			if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
				return
			}
		}
	case <-ctx.Done():
	}
}

// run runs the container, and tells how it has ended; nil when it has not run.
func (p *livePod) run(ctx context.Context) *corev1.ContainerStateTerminated {
	c := &p.pod.Spec.Containers[0]
	if c.Image != image {
		for _, reason := range []string{"ErrImagePull", "ImagePullBackOff"} { // they take turns
			p.show(ctx, corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "pull of " + c.Image + ": not found"}})
		}
		p.until(ctx, nil)
		return nil
	}
	p.show(ctx, corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}})
	cmd := p.command(ctx, c)
	if cmd == nil {
		return nil
	}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	p.mu.Lock()
	err := cmd.Start()
	p.process = cmd.Process
	p.mu.Unlock()
	if err != nil {
		return &corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: err.Error()}
	}
	p.show(ctx, corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // the state tells
	}()
	if p.until(ctx, done) {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(time.Duration(*p.pod.Spec.TerminationGracePeriodSeconds) * time.Second):
		case <-ctx.Done():
		}
		_ = cmd.Process.Kill() // it may have ended
	}
	<-done
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		if code < 0 { // as a shell counts
			code = 128 + int(cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
		}
		return &corev1.ContainerStateTerminated{ExitCode: int32(code), Reason: "Error"}
	}
	return &corev1.ContainerStateTerminated{Reason: "Completed"}
}

// until waits for done, and reports whether the pod is to end before that.
func (p *livePod) until(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	case <-p.deleted:
	case <-ctx.Done():
	}
	return true
}

// show sets the status of the pod.
func (p *livePod) show(ctx context.Context, phase corev1.PodPhase, state corev1.ContainerState) {
	ready := corev1.ConditionFalse
	if state.Running != nil {
		ready = corev1.ConditionTrue
	}
	name := p.pod.Spec.Containers[0].Name
	status := corev1.PodStatus{
		Phase: phase, HostIP: "127.0.0.1", PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}}, StartTime: new(metav1.Now()),
		Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: name, Image: p.pod.Spec.Containers[0].Image, State: state, Ready: state.Running != nil}},
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.pod.UID}, "status": status})
	if err != nil {
		panic(err)
	}
	for ctx.Err() == nil {
		_, err := p.core.Pods(p.pod.Namespace).Patch(ctx, p.pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsInvalid(err) {
			return
		}
	}
}

// command is the container's process; nil when the pod is to end before its volumes are there. Volumes are folders, which take their
// mounts' place in the arguments.
func (p *livePod) command(ctx context.Context, c *corev1.Container) *exec.Cmd {
	folders := map[string]string{}
	var pairs []string
	for _, v := range p.pod.Spec.Volumes {
		dir := p.path("pods", string(p.pod.UID), v.Name)
		if !p.mountSoon(ctx, v, dir) {
			return nil
		}
		for _, m := range c.VolumeMounts {
			if m.Name == v.Name {
				folders[m.MountPath] = dir
				pairs = append(pairs, m.MountPath, dir)
			}
		}
	}
	env := p.environment(c)
	args, mounts := make([]string, len(c.Args)), strings.NewReplacer(pairs...)
	for i, arg := range c.Args {
		args[i] = mounts.Replace(expand(arg, env))
	}
	cmd := exec.Command("peerlab", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + nowhere, "TMPDIR=" + nowhere, "KUBECONFIG=" + p.lent(p.pod)}
	if tmp := folders["/tmp"]; tmp != "" {
		cmd.Env = append(cmd.Env, "HOME="+tmp, "TMPDIR="+tmp)
	}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// mountSoon waits for what a volume is made of, as a kubelet does: the Secret of a run comes after its pods. It reports whether that came before
// the end of the pod.
func (p *livePod) mountSoon(ctx context.Context, v corev1.Volume, dir string) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for p.mount(ctx, v, dir) != nil {
		select {
		case <-tick.C:
		case <-p.deleted:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// mount writes the files of a volume.
func (p *livePod) mount(ctx context.Context, v corev1.Volume, dir string) error {
	files := map[string][]byte{}
	switch {
	case v.Secret != nil:
		s, err := p.core.Secrets(p.pod.Namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		files = s.Data
	case v.ConfigMap != nil:
		m, err := p.core.ConfigMaps(p.pod.Namespace).Get(ctx, v.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		maps.Copy(files, m.BinaryData)
		for name, text := range m.Data {
			files[name] = []byte(text)
		}
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// environment are the variables of a container.
func (p *livePod) environment(c *corev1.Container) map[string]string {
	env := map[string]string{}
	for _, v := range c.Env {
		env[v.Name] = v.Value
		if v.ValueFrom != nil && v.ValueFrom.FieldRef != nil {
			env[v.Name] = p.field(v.ValueFrom.FieldRef.FieldPath)
		}
	}
	return env
}

// field is a field of the pod, as far as these tests have pods that ask for it.
func (p *livePod) field(path string) string {
	for prefix, values := range map[string]map[string]string{"metadata.annotations['": p.pod.Annotations, "metadata.labels['": p.pod.Labels} {
		if key, ok := strings.CutPrefix(path, prefix); ok {
			return values[strings.TrimSuffix(key, "']")]
		}
	}
	known := map[string]string{"status.podIP": p.ip, "metadata.name": p.pod.Name, "metadata.namespace": p.pod.Namespace}
	return cmp.Or(known[path], fmt.Sprintf("no field %s is known here", path))
}

var reference = regexp.MustCompile(`\$\$|\$\([A-Za-z_][A-Za-z0-9_]*\)`)

// expand puts variables in the place of $(NAME), as a kubelet does; $$ is a dollar, and an unknown name stays.
func expand(s string, env map[string]string) string {
	return reference.ReplaceAllStringFunc(s, func(r string) string {
		if r == "$$" {
			return "$"
		}
		if value, ok := env[r[2:len(r)-1]]; ok {
			return value
		}
		return r
	})
}
