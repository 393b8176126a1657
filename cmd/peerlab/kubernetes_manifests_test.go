package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"

	"peerlab.example/peerlab/internal/node"
)

// collections are where the API has the kinds of the manifests, in a namespace.
var collections = map[string]string{
	"v1 Service":                               "/api/v1/namespaces/%s/services",
	"v1 ServiceAccount":                        "/api/v1/namespaces/%s/serviceaccounts",
	"apps/v1 Deployment":                       "/apis/apps/v1/namespaces/%s/deployments",
	"batch/v1 Job":                             "/apis/batch/v1/namespaces/%s/jobs",
	"rbac.authorization.k8s.io/v1 Role":        "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/roles",
	"rbac.authorization.k8s.io/v1 RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/rolebindings",
}

// apply makes all that a manifest of deploy/kubernetes describes. The API server refuses a field that it does not know, and the namespace a pod
// that is not of the standard "restricted".
func (c *cluster) apply(t *testing.T, ns, name string) {
	t.Helper()
	for text := range strings.SplitSeq(read(t, repository(), "deploy", "kubernetes", name), "\n---\n") {
		var object struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
		}
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		path, ok := collections[object.APIVersion+" "+object.Kind]
		if !ok {
			t.Fatalf("%s: where is the kind %s %s?", name, object.APIVersion, object.Kind)
		}
		if err := c.post(t.Context(), fmt.Sprintf(path, ns), []byte(text)); err != nil {
			t.Fatalf("%s: %s: %v", name, object.Kind, err)
		}
	}
}

// manifests are all applied as they are shipped.
func manifests(t *testing.T, k *kubelet) {
	ns := k.namespace(t, "manifests")
	files, err := filepath.Glob(filepath.Join(repository(), "deploy", "kubernetes", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	k.bootstrapSecret(t, ns)
	for _, file := range files {
		k.apply(t, ns, filepath.Base(file))
	}
	text := strings.Replace(read(t, files[0]), "spec:", "specs: {}\nspec:", 1)
	if err := k.post(t.Context(), fmt.Sprintf(collections["apps/v1 Deployment"], ns), []byte(text)); err == nil {
		t.Error("a field that there is not was taken")
	}
	k.bootstrapServes(t, ns)
}

// bootstrapSecret makes the Secret that bootstrap.yaml tells to make.
func (k *kubelet) bootstrapSecret(t *testing.T, ns string) {
	t.Helper()
	dir := t.TempDir()
	if _, err := node.MakeCerts(node.CertsConfig{Dir: dir, Names: []string{"bootstrap"}, Hosts: []string{"peerlab-bootstrap"}, Days: 1}); err != nil {
		t.Fatal(err)
	}
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "peerlab-bootstrap"}, StringData: map[string]string{
		"token": "a token of this test", "tls.crt": read(t, dir, "bootstrap.crt"), "tls.key": read(t, dir, "bootstrap.key"),
	}}
	if _, err := k.core.Secrets(ns).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// bootstrapServes waits until the service of bootstrap.yaml is healthy, for the probe of its manifest and for gRPC.
func (k *kubelet) bootstrapServes(t *testing.T, ns string) {
	t.Helper()
	trust := &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true} // as a kubelet does
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
	defer client.CloseIdleConnections()
	eventually(t, "the bootstrap service", func(ctx context.Context) error {
		pods, err := k.core.Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=bootstrap"})
		if err != nil {
			return err
		}
		if len(pods.Items) != 1 || pods.Items[0].Status.PodIP == "" {
			return errors.New("no pod has an address")
		}
		ip := pods.Items[0].Status.PodIP
		answer, err := client.Get("https://" + ip + ":7780/healthz")
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		conn, err := grpc.NewClient(ip+":7700", grpc.WithTransportCredentials(credentials.NewTLS(trust.Clone())))
		if err != nil {
			return err
		}
		defer conn.Close()
		health, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err == nil && health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			err = errors.New(health.GetStatus().String())
		}
		return err
	})
}

// insideCluster runs a suite by a coordinator that is a pod, with the account of the manifests: it may do what it needs.
func insideCluster(t *testing.T, k *kubelet) {
	ns := k.namespace(t, "inside")
	k.apply(t, ns, "coordinator-rbac.yaml")
	const account = "peerlab-coordinator"
	token, err := k.core.ServiceAccounts(ns).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// A node mounts the token of an account into its pods, at a path that only root could write to here.
	k.lend(ns, account, k.userIn(ns, account, token.Status.Token))
	suite := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "peerlab-suite"},
		Data:       map[string]string{"suite.lab": read(t, repository(), "examples", "first.lab")},
	}
	if _, err := k.core.ConfigMaps(ns).Create(t.Context(), suite, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	k.apply(t, ns, "coordinator-job.yaml")
	eventually(t, "the job of the coordinator", func(ctx context.Context) error {
		job, err := k.batch.Jobs(ns).Get(ctx, account, metav1.GetOptions{})
		switch {
		case err != nil:
			return err
		case job.Status.Failed > 0:
			t.Fatalf("the job has failed:\n%s", k.logOf(ctx, ns, account))
		case job.Status.Succeeded == 0:
			return fmt.Errorf("it has not ended:\n%s", k.logOf(ctx, ns, account))
		}
		return nil
	})
	said := k.logOf(t.Context(), ns, account)
	saysAll(t, said, "PASS first steps  3 peers")
	if strings.Contains(said, "note ") || strings.Contains(said, "error") {
		t.Error("there was something that the account may not do")
	}
	if left := k.secrets(t.Context(), t, ns); len(left) > 0 {
		t.Errorf("secrets that are left: %q", left)
	}
}

// logOf is what the pod of a Job has written, as the API server tells it.
func (c *cluster) logOf(ctx context.Context, ns, job string) string {
	pods, err := c.core.Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + job})
	if err != nil || len(pods.Items) == 0 {
		return fmt.Sprintf("no pod: %v", err)
	}
	text, err := c.core.Pods(ns).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
