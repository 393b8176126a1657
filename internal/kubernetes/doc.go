// Package kubernetes hands the peers of a run to a cluster, as the pods of one Indexed Job, and looks after them. It knows
// nothing of peers but their names: the caller says what a pod runs, and what files it finds.
//
// A Launcher reaches a cluster. Launch makes a Job with one pod for each peer, and a Secret with the files, which belongs to the
// Job and goes with it. Follow tells what keeps pods from running, Logs fetches what they wrote, Close deletes all.
//
//	l, err := kubernetes.New(kubernetes.Config{Image: "registry.example/peerlab:1"})
//	job, err := l.Launch(ctx, kubernetes.Spec{Title: "first", Peers: []string{"alice", "bob"}, Args: args, Files: files})
//	defer job.Close(ctx)
//
// A pod that ends is not started again, and does not take the others along: each index of the Job may fail for itself
// (backoffLimitPerIndex, which clusters have since 1.29). Should the coordinator be killed, the Job ends and goes by itself, after a deadline
// and a time to live.
//
// Pods are as strict as the Pod Security Standard "restricted" wants: no root, no capabilities, no token of a service account, a root file
// system that nobody writes to.
package kubernetes
