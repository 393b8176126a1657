package kubernetes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
)

// Launcher makes Jobs in one cluster. It has nothing to close.
type Launcher struct {
	config  Config
	api     *api
	newName func(title string) string
}

// A run is small, so that the client's own limits would only slow it down.
const (
	requestsPerSecond = 50
	burst             = 100
)

// New reads the kubeconfig, and asks nothing of the cluster yet.
func New(c Config) (*Launcher, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.Context})
	rest, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, errors.New("no cluster is known: there is no kubeconfig; name one with --kubeconfig or $KUBECONFIG")
	}
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	rest.QPS, rest.Burst, rest.UserAgent = requestsPerSecond, burst, "peerlab"
	namespace := c.Namespace
	if namespace == "" {
		if namespace, _, err = loader.Namespace(); err != nil {
			return nil, fmt.Errorf("kubeconfig: namespace: %w", err)
		}
	}
	api, err := newAPI(rest, namespace)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return &Launcher{config: c, api: api, newName: newName}, nil
}

// tries is how many names are tried for a Job whose name is left to chance.
const tries = 5

// Launch makes the Job of a run, and the Secret. It does not wait for pods. After an error nothing of it is left.
//
// The Job comes first: it has a deadline, and the Secret belongs to it, so that neither stays for good whenever this process is
// killed. Pods wait for the Secret.
func (l *Launcher) Launch(ctx context.Context, s Spec) (*Job, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	run := strings.ToLower(rand.Text())
	made, err := l.create(ctx, &s, run)
	if err != nil {
		return nil, err
	}
	j := newHandle(l, made, s.Peers)
	secret, err := l.api.createSecret(ctx, newSecret(&s, made))
	if err != nil {
		bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), deleteWithin)
		defer stop()
		return nil, errors.Join(fmt.Errorf("secret %s in namespace %s: %w", made.Name, l.api.namespace, err), j.Close(bounded))
	}
	j.secret = secret.UID
	return j, nil
}

// create makes the Job, under another name if one that was left to chance is taken.
func (l *Launcher) create(ctx context.Context, s *Spec, run string) (*batchv1.Job, error) {
	for try := 1; ; try++ {
		name := s.Name
		if name == "" {
			name = l.newName(s.Title)
		}
		job, err := l.api.createJob(ctx, newJob(&l.config, s, name, run))
		switch {
		case err == nil:
			return job, nil
		case !apierrors.IsAlreadyExists(err):
			return nil, errors.Join(fmt.Errorf("job %s in namespace %s: %w", name, l.api.namespace, err), l.takeBack(ctx, name, run, err))
		case s.Name != "":
			return nil, fmt.Errorf("job %s in namespace %s: %w: another run has that name, or one that was killed; choose another, or: kubectl -n %[2]s delete job %[1]s",
				name, l.api.namespace, err)
		case try == tries:
			return nil, fmt.Errorf("job in namespace %s: %d names by chance are all taken, the last is %s: %w", l.api.namespace, tries, name, err)
		}
	}
}

// takeBack deletes a Job that was made although nobody heard so: the answer was lost, or not waited for.
func (l *Launcher) takeBack(ctx context.Context, name, run string, err error) error {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return nil // the cluster has said no
	}
	bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	job, err := l.api.job(bounded, name)
	if err != nil || job.Labels[runLabel] != run {
		return nil //nolint:nilerr // a cluster that is not reached was told already
	}
	return newHandle(l, job, nil).Close(bounded)
}

// Refused reports whether an error of Launch is what the cluster has answered: it may not be asked so, or not by this user. Otherwise it was
// not reached, or is in trouble itself.
func Refused(err error) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusTooManyRequests
}
