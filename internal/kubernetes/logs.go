package kubernetes

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	// logLimit is how much of a pod's log is fetched, in bytes.
	logLimit = 256 << 20
	// logsAtOnce is how many logs are fetched at once.
	logsAtOnce = 8
)

// Logs writes what each pod has written to NAME.log in a folder that exists. Of pods that still run it is waited for the rest until ctx
// ends; then what there is counts. Of a pod whose container has not started there is no file. The error has each peer whose log could not be had.
func (j *Job) Logs(ctx context.Context, dir string) error {
	errs := make([]error, len(j.peers))
	var g errgroup.Group
	g.SetLimit(logsAtOnce)
	for i, name := range j.peers {
		g.Go(func() error {
			if err := j.saveLog(ctx, i, filepath.Join(dir, name+".log")); err != nil {
				errs[i] = fmt.Errorf("log of %s: %w", name, err)
			}
			return nil
		})
	}
	_ = g.Wait()
	return errors.Join(errs...)
}

// saveLog writes the log of one peer.
func (j *Job) saveLog(ctx context.Context, i int, path string) (err error) {
	stream, err := j.openLog(ctx, i, &corev1.PodLogOptions{Container: container, Follow: true, LimitBytes: new(int64(logLimit))})
	if errors.Is(err, errNoPod) || apierrors.IsBadRequest(err) { // it waits to start; why was told
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := io.Copy(file, stream); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// errNoPod is why there is no log of a peer for which the job has made no pod.
var errNoPod = errors.New("it has no pod")

// openLog opens the log of the pod with that index.
func (j *Job) openLog(ctx context.Context, i int, opt *corev1.PodLogOptions) (io.ReadCloser, error) {
	j.mu.Lock()
	pod := j.pods[i]
	j.mu.Unlock()
	if pod == nil {
		return nil, errNoPod
	}
	return j.launcher.api.podLog(ctx, pod.Name, opt)
}

// Tail are the last n lines that the pod of a peer has written; none if they cannot be had.
func (j *Job) Tail(ctx context.Context, name string, n int) []string {
	i := slices.Index(j.peers, name)
	if i < 0 {
		return nil
	}
	stream, err := j.openLog(ctx, i, &corev1.PodLogOptions{Container: container, TailLines: new(int64(n)), LimitBytes: new(int64(64 << 10))})
	if err != nil {
		return nil
	}
	defer func() { _ = stream.Close() }()
	var lines []string
	for s := bufio.NewScanner(stream); s.Scan(); {
		lines = append(lines, strings.ToValidUTF8(s.Text(), "\ufffd"))
	}
	return lines
}
