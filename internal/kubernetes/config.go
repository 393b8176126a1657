package kubernetes

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Config says which cluster, and what all pods there have in common.
type Config struct {
	// Kubeconfig is a file; empty means those that $KUBECONFIG names, else ~/.kube/config, else the cluster that this
	// process runs in. Context is one of its contexts; empty means its current one.
	Kubeconfig, Context string
	// Namespace is where the Job is; empty means that of the context.
	Namespace string
	// Image is the reference of a container image whose entry point is peerlab.
	Image string
	// PullPolicy is Always, IfNotPresent or Never; empty means what the cluster does by default.
	PullPolicy string
	// CPU and Memory are what a pod requests, such as "100m" and "64Mi"; empty requests nothing. Memory is its
	// limit, too.
	CPU, Memory string
	// NodeSelector are labels that a node must have.
	NodeSelector map[string]string
}

// validate lists all that can be wrong without asking the cluster.
func (c *Config) validate() error {
	var errs []error
	if strings.TrimSpace(c.Image) == "" || strings.ContainsAny(c.Image, " \t\n") {
		errs = append(errs, fmt.Errorf("image %q: it must be a reference such as registry.example/peerlab:1", c.Image))
	}
	if c.Namespace != "" {
		errs = append(errs, isLabel("namespace", c.Namespace, validation.DNS1123LabelMaxLength))
	}
	switch corev1.PullPolicy(c.PullPolicy) {
	case "", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		errs = append(errs, fmt.Errorf("image pull policy %q: is none of Always, IfNotPresent, Never", c.PullPolicy))
	}
	_, err := c.requests()
	errs = append(errs, err)
	for key, value := range c.NodeSelector {
		if wrong := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(wrong) > 0 {
			errs = append(errs, fmt.Errorf("node selector %q=%q: %s", key, value, wrong[0]))
		}
	}
	return errors.Join(errs...)
}

// requests are the resources that a pod asks for.
func (c *Config) requests() (corev1.ResourceList, error) {
	list := corev1.ResourceList{}
	var errs []error
	for _, one := range []struct {
		name  corev1.ResourceName
		value string
	}{{corev1.ResourceCPU, c.CPU}, {corev1.ResourceMemory, c.Memory}} {
		if one.value == "" {
			continue
		}
		q, err := resource.ParseQuantity(one.value)
		if err != nil || q.Sign() <= 0 {
			errs = append(errs, fmt.Errorf("%s %q: it must be a quantity such as 100m, 2, 64Mi or 1Gi", one.name, one.value))
			continue
		}
		list[one.name] = q
	}
	return list, errors.Join(errs...)
}

// isLabel is the error of what is no DNS label of at most so many characters.
func isLabel(what, value string, limit int) error {
	if len(value) > limit || len(validation.IsDNS1123Label(value)) > 0 {
		return fmt.Errorf("%s %q: it must have 1 to %d of the characters a-z, 0-9 and -, and begin and end with a letter or digit", what, value, limit)
	}
	return nil
}
