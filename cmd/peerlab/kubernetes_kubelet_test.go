package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// kubelet is what a node does for the pods that the scheduler gives to it, with processes in place of containers: the container of a pod is this
// test's peerlab with the pod's arguments, on an address of loopback of its own.
//
// It shows the API server what a kubelet shows: the status of pods, and their logs over TLS. It has no images; see pulls.
type kubelet struct {
	*cluster
	node string
	net  string // the first three numbers of the pods' addresses

	mu       sync.Mutex
	pods     map[types.UID]*livePod // guarded by mu; they stay, since logs are read after the end
	accounts map[string]string      // guarded by mu; see lend
	living   sync.WaitGroup
}

// startKubelet registers a node with a cluster, and runs the pods that it is given until the test ends.
func startKubelet(c *cluster, name string) *kubelet {
	c.t.Helper()
	k := &kubelet{
		cluster: c, node: name, pods: map[types.UID]*livePod{}, accounts: map[string]string{},
		net: fmt.Sprintf("127.%d.%d.", 64+rand.N(64), rand.N(256)), // so that others on this machine may run the same test
	}
	k.register(k.serve())
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { k.follow(ctx) })
	c.t.Cleanup(func() {
		stop()
		watching.Wait()
		k.living.Wait()
	})
	return k
}

// register makes a node that is ready.
func (k *kubelet) register(port int32) {
	k.t.Helper()
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: k.node, Labels: map[string]string{corev1.LabelHostname: k.node}},
		Status: corev1.NodeStatus{
			Capacity: room, Allocatable: room,
			Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: port}},
			Conditions:      []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: metav1.Now()}},
		},
	}
	eventually(k.t, "node "+k.node, func(ctx context.Context) error {
		_, err := k.core.Nodes().Create(ctx, n, metav1.CreateOptions{})
		return err
	})
}

// follow runs the pods of the node until ctx ends.
func (k *kubelet) follow(ctx context.Context) {
	mine := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", k.node).String()}
	for ctx.Err() == nil {
		list, err := k.core.Pods("").List(ctx, mine)
		if err != nil {
			continue
		}
		for i := range list.Items {
			k.see(ctx, &list.Items[i])
		}
		from := mine
		from.ResourceVersion = list.ResourceVersion
		stream, err := k.core.Pods("").Watch(ctx, from)
		if err != nil {
			continue
		}
		for e := range stream.ResultChan() {
			if pod, ok := e.Object.(*corev1.Pod); ok && e.Type != watch.Deleted {
				k.see(ctx, pod)
			}
		}
	}
}

// see begins the life of a pod that is new, and ends that of one that is to be deleted.
func (k *kubelet) see(ctx context.Context, pod *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.pods[pod.UID]
	if p == nil {
		p = &livePod{kubelet: k, pod: pod, ip: k.net + strconv.Itoa(len(k.pods)+1), log: newPodLog(), deleted: make(chan struct{})}
		k.pods[pod.UID] = p
		k.living.Go(func() { p.live(ctx) })
	}
	if pod.DeletionTimestamp != nil {
		p.delete()
	}
}

// lend gives a kubeconfig to the pods of an account, in place of the token that a node mounts into them.
func (k *kubelet) lend(namespace, account, kubeconfig string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.accounts[namespace+"/"+account] = kubeconfig
}

// lent is what was lent to the account of a pod; empty for nothing.
func (k *kubelet) lent(pod *corev1.Pod) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.accounts[pod.Namespace+"/"+pod.Spec.ServiceAccountName]
}

// find is the pod of a namespace that is for the peer of that index.
func (k *kubelet) find(namespace string, index int) *livePod {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pods {
		if p.pod.Namespace == namespace && p.pod.Annotations["batch.kubernetes.io/job-completion-index"] == strconv.Itoa(index) {
			return p
		}
	}
	return nil
}
