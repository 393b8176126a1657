// Command controlplane is the control plane of Kubernetes in one program, for the test of the runner kubernetes: the first
// argument names the component, the others are that component's own.
//
//	controlplane etcd DIR CLIENT-URL PEER-URL
//	controlplane kube-apiserver|kube-controller-manager|kube-scheduler FLAGS…
//
// A component ends when its standard input does, so that none outlives the test that started it.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("a component is wanted: etcd, kube-apiserver, kube-controller-manager or kube-scheduler"))
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	component := os.Args[1]
	os.Args = os.Args[1:]
	var cmd *cobra.Command
	switch component {
	case "etcd":
		fail(etcd(os.Args[1:]))
	case "kube-apiserver":
		cmd = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		cmd = controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		cmd = scheduler.NewSchedulerCommand()
	default:
		fail(fmt.Errorf("there is no component %q", component))
	}
	os.Exit(cli.Run(cmd))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "controlplane:", err)
	os.Exit(1)
}

// etcd runs a store of one member, which does not wait for the disk: it holds one test. It returns only when that fails.
func etcd(args []string) error {
	if len(args) != 3 {
		return errors.New("etcd: a folder, the URL for clients and the URL for members are wanted")
	}
	cfg := embed.NewConfig()
	cfg.Dir, cfg.UnsafeNoFsync, cfg.LogLevel = args[0], true, "error"
	client, err := url.Parse(args[1])
	if err != nil {
		return err
	}
	peer, err := url.Parse(args[2])
	if err != nil {
		return err
	}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(time.Minute):
		return errors.New("etcd does not start")
	}
	return <-e.Err()
}
