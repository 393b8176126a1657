package kubernetes

import (
	"errors"
	"fmt"
	"maps"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// Folder is where a pod finds the files of its Spec.
	Folder = "/etc/peerlab"
	// PodIP stands in arguments for the address of the pod.
	PodIP = "$(POD_IP)"
	// Index stands in arguments for the pod's place in Spec.Peers, from 0.
	Index = "$(JOB_COMPLETION_INDEX)"
	// RPCPort is the port of a peer's gRPC server in its pod, the same in all pods, so that a NetworkPolicy can name it.
	RPCPort = 7800
	// GossipPort is the port of a peer's gossip, as RPCPort is.
	GossipPort = 7946

	// container is the name of the one container of a pod.
	container = "peer"
	// nobody is a user without rights, the one of distroless images.
	nobody = 65532
	// runLabel tells runs apart, also those that take the same name one after the other.
	runLabel = "peerlab.example/run"
	// timeToLive is how long a Job stays whose pods have all ended when nobody deletes it. What it has logged can be read so long.
	timeToLive = time.Hour
	// farewell is how long a pod may take to end when it is deleted.
	farewell = 10 * time.Second
	// maxPeers is the most pods of one Job: further ones would need maxFailedIndexes, and names of pods more than five digits.
	maxPeers = 10_000
)

// Spec is one run.
type Spec struct {
	// Name is that of the Job; empty means one that is made of Title and chance.
	Name string
	// Title is what the run is called, such as the name of the suite.
	Title string
	// Peers are the names of the peers, one for each pod.
	Peers []string
	// Args are the arguments of the image's entry point, the same in all pods but for PodIP and Index.
	Args []string
	// Files are what a pod finds in Folder. They are kept in a Secret, and all pods have all of them.
	Files map[string][]byte
	// Deadline ends the Job if nothing else does.
	Deadline time.Duration
}

func (s *Spec) validate() error {
	var errs []error
	if s.Name != "" {
		errs = append(errs, isLabel("job name", s.Name, maxName))
	}
	if n := len(s.Peers); n < 1 || n > maxPeers {
		errs = append(errs, fmt.Errorf("a job has 1 to %d peers, not %d", maxPeers, n))
	}
	if s.Deadline < time.Second {
		errs = append(errs, fmt.Errorf("a deadline of %s is none", s.Deadline))
	}
	return errors.Join(errs...)
}

// meta is what all objects of a run have. run is the value of runLabel.
func meta(name, run string, s *Spec) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name,
		Labels: map[string]string{
			"app.kubernetes.io/name": "peerlab", "app.kubernetes.io/component": "peer", "app.kubernetes.io/managed-by": "peerlab", runLabel: run,
		},
		Annotations: map[string]string{"peerlab.example/suite": s.Title},
	}
}

// newJob is the Job of a run.
func newJob(c *Config, s *Spec, name, run string) *batchv1.Job {
	requests, _ := c.requests() // New has checked them
	limits := maps.Clone(requests)
	delete(limits, corev1.ResourceCPU) // a peer that is held up would look like one that failed
	pod := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false), // a service "peerlab" would become settings PEERLAB_…
		TerminationGracePeriodSeconds: new(int64(farewell.Seconds())),
		NodeSelector:                  c.NodeSelector,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(nobody)), RunAsGroup: new(int64(nobody)), FSGroup: new(int64(nobody)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: []corev1.Volume{{
			Name: "files", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name, DefaultMode: new(int32(0o440))}},
		}},
		Containers: []corev1.Container{{
			Name: container, Image: c.Image, ImagePullPolicy: corev1.PullPolicy(c.PullPolicy), Args: s.Args,
			Env: []corev1.EnvVar{{
				Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}},
			}},
			Resources:    corev1.ResourceRequirements{Requests: requests, Limits: limits},
			VolumeMounts: []corev1.VolumeMount{{Name: "files", MountPath: Folder, ReadOnly: true}},
			Ports: []corev1.ContainerPort{
				{Name: "rpc", ContainerPort: RPCPort},
				{Name: "gossip", ContainerPort: GossipPort},
				{Name: "gossip-udp", ContainerPort: GossipPort, Protocol: corev1.ProtocolUDP},
			},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
	n := new(int32(len(s.Peers))) //nolint:gosec // at most maxPeers
	m := meta(name, run, s)
	return &batchv1.Job{
		ObjectMeta: m,
		Spec: batchv1.JobSpec{
			CompletionMode: new(batchv1.IndexedCompletion), Completions: n, Parallelism: n,
			BackoffLimitPerIndex:    new(int32(0)),
			ActiveDeadlineSeconds:   new(int64(s.Deadline.Seconds())),
			TTLSecondsAfterFinished: new(int32(timeToLive.Seconds())),
			Template:                corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: m.Labels, Annotations: m.Annotations}, Spec: pod},
		},
	}
}

// newSecret holds the files of a run. It belongs to the Job, so that it goes with it.
func newSecret(s *Spec, job *batchv1.Job) *corev1.Secret {
	m := meta(job.Name, job.Labels[runLabel], s)
	m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID}}
	return &corev1.Secret{ObjectMeta: m, Type: corev1.SecretTypeOpaque, Data: s.Files, Immutable: new(true)}
}
