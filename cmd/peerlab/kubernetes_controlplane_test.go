package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"peerlab.example/peerlab/internal/node"
)

// envControlPlane names the program of tools/kubernetes/controlplane. It takes minutes to build, so that these tests are not for each run.
const envControlPlane = "PEERLAB_TEST_CONTROLPLANE"

// patience bounds each wait of these tests. It ends early, and is for machines that have much else to do.
const patience = 2 * time.Minute

// The users that the API server knows, by their tokens: one who may do all, and one who may do nothing.
const adminToken, strangerToken = "test-admin", "test-stranger"

// cluster is a control plane of Kubernetes on loopback: etcd, kube-apiserver, kube-scheduler and kube-controller-manager, each a process that ends
// with the test.
type cluster struct {
	t          *testing.T
	program    string
	dir        string
	url        string
	kubeconfig string // of the one who may do all
	accountKey string // the file of the key that signs the tokens of service accounts
	core       *coreclient.CoreV1Client
	batch      *batchclient.BatchV1Client
	ended      chan string // components that have
}

// startCluster starts the control plane, or skips the test.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	program := os.Getenv(envControlPlane)
	if program == "" || runtime.GOOS != "linux" {
		t.Skipf("needs Linux, where all of 127.0.0.0/8 is there, and %s, a program of tools/kubernetes: task test:kubernetes builds it and runs this", envControlPlane)
	}
	c := &cluster{t: t, program: program, dir: t.TempDir(), ended: make(chan string, 4)}
	if _, err := node.MakeCerts(node.CertsConfig{Dir: c.path("certs"), Names: []string{"apiserver", "kubelet"}, Days: 1}); err != nil {
		t.Fatal(err)
	}
	c.accountKey = c.newKey("accounts.key")
	c.write("tokens.csv", adminToken+",admin,1,system:masters\n"+strangerToken+",stranger,2,\n")
	etcd := "http://" + c.address()
	addr := c.address()
	c.url = "https://" + addr
	c.kubeconfig = c.user("admin", adminToken)
	c.connect()
	c.start("etcd", c.path("etcd"), etcd, "http://"+c.address())
	c.startServer(etcd, addr)
	eventually(t, "the API server", func(ctx context.Context) error {
		select {
		case component := <-c.ended:
			t.Fatalf("%s has ended", component)
		default:
		}
		return c.core.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	c.start("kube-scheduler", "--kubeconfig="+c.kubeconfig, "--leader-elect=false", "--secure-port=0")
	c.start("kube-controller-manager", "--kubeconfig="+c.kubeconfig, "--leader-elect=false", "--secure-port=0",
		"--service-account-private-key-file="+c.accountKey, "--root-ca-file="+c.path("certs", "ca.crt"),
		"--node-monitor-grace-period=1h") // nodes without a sign of life are not what is tested
	return c
}

func (c *cluster) startServer(etcd, addr string) {
	_, port, _ := net.SplitHostPort(addr)
	at := func(name string) string { return c.path("certs", name) }
	c.start("kube-apiserver", "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--secure-port="+port,
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/24",
		"--tls-cert-file="+at("apiserver.crt"), "--tls-private-key-file="+at("apiserver.key"), "--cert-dir="+c.path("apiserver"),
		"--authorization-mode=RBAC", "--token-auth-file="+c.path("tokens.csv"),
		"--service-account-issuer="+c.url, "--service-account-key-file="+c.accountKey, "--service-account-signing-key-file="+c.accountKey,
		"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority="+at("ca.crt"),
		"--kubelet-client-certificate="+at("apiserver.crt"), "--kubelet-client-key="+at("apiserver.key"))
}

// start starts a component. What it has to say is shown when the test has failed.
func (c *cluster) start(component string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(c.program, append([]string{component}, args...)...)
	var said lockedBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	stdin, err := cmd.StdinPipe() // it ends when this does, also when this process is killed
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // how it ends is of no interest
		c.ended <- component
	}()
	c.t.Cleanup(func() {
		_ = stdin.Close()
		select {
		case <-done:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-done
		}
		if c.t.Failed() {
			c.t.Logf("%s:\n%s", component, lastLines(said.String(), 20))
		}
	})
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// connect makes the clients of the one who may do all.
func (c *cluster) connect() {
	config := &rest.Config{
		Host: c.url, BearerToken: adminToken, QPS: 100, Burst: 200,
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.path("certs", "ca.crt")},
	}
	var err error
	if c.core, err = coreclient.NewForConfig(config); err != nil {
		c.t.Fatal(err)
	}
	if c.batch, err = batchclient.NewForConfig(config); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		for _, client := range []rest.Interface{c.core.RESTClient(), c.batch.RESTClient()} {
			client.(*rest.RESTClient).Client.CloseIdleConnections()
		}
	})
}

// user is the path of a kubeconfig for the one with that token.
func (c *cluster) user(name, token string) string { return c.userIn("default", name, token) }

// userIn is the same, with a namespace that is taken where none is named.
func (c *cluster) userIn(namespace, name, token string) string {
	return c.write(name+"-"+namespace+".kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: %[3]s, user: {token: %[4]q}}]
contexts: [{name: test, context: {cluster: test, user: %[3]s, namespace: %[5]s}}]
current-context: test
`, c.url, c.path("certs", "ca.crt"), name, token, namespace))
}

// namespace makes a namespace that admits only pods of the standard "restricted", and waits until pods can be made there.
func (c *cluster) namespace(t *testing.T, name string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	eventually(t, "namespace "+name, func(ctx context.Context) error {
		_, err := c.core.Namespaces().Create(ctx, ns, metav1.CreateOptions{})
		return err
	})
	eventually(t, "the service account of namespace "+name, func(ctx context.Context) error {
		_, err := c.core.ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return name
}

// post makes an object of YAML at a path of the API, which refuses fields that it does not know.
func (c *cluster) post(ctx context.Context, path string, text []byte) error {
	result := c.core.RESTClient().Post().AbsPath(path).Param("fieldValidation", "Strict").
		SetHeader("Content-Type", "application/yaml").Body(bytes.TrimSpace(text)).Do(ctx)
	return result.Error()
}

// eventually waits until f returns nil.
func eventually(t *testing.T, what string, f func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// address is one that is free.
func (c *cluster) address() string {
	c.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newKey writes a key of a kind that Kubernetes takes for tokens.
func (c *cluster) newKey(name string) string {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.write(name, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

func (c *cluster) path(parts ...string) string {
	return filepath.Join(append([]string{c.dir}, parts...)...)
}

func (c *cluster) write(name, text string) string {
	c.t.Helper()
	path := c.path(name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}
