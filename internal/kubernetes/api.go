package kubernetes

import (
	"context"
	"io"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

// api is what a run asks of a cluster, in one namespace. It uses the REST client of client-go: the typed clients know each kind of
// each group of the API, which would be a quarter of the program.
type api struct {
	namespace   string
	core, batch *rest.RESTClient
	parameters  runtime.ParameterCodec
}

// newAPI makes a client, and asks nothing of the cluster yet.
func newAPI(c *rest.Config, namespace string) (*api, error) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"}) // what is of no group, such as the status of an error
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	shared, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, err
	}
	of := func(path string, gv schema.GroupVersion) (*rest.RESTClient, error) {
		config := rest.CopyConfig(c)
		config.APIPath, config.GroupVersion = path, &gv
		config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
		return rest.RESTClientForConfigAndClient(config, shared)
	}
	a := &api{namespace: namespace, parameters: runtime.NewParameterCodec(scheme)}
	if a.core, err = of("/api", corev1.SchemeGroupVersion); err != nil {
		return nil, err
	}
	if a.batch, err = of("/apis", batchv1.SchemeGroupVersion); err != nil {
		return nil, err
	}
	return a, nil
}

// of makes a request about a resource of the namespace.
func (a *api) of(r *rest.Request, resource string) *rest.Request {
	return r.Namespace(a.namespace).Resource(resource)
}

// createJob makes a Job; a field that the cluster does not know is an error.
func (a *api) createJob(ctx context.Context, job *batchv1.Job) (*batchv1.Job, error) {
	made := &batchv1.Job{}
	opt := &metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
	return made, a.of(a.batch.Post(), "jobs").VersionedParams(opt, a.parameters).Body(job).Do(ctx).Into(made)
}

func (a *api) job(ctx context.Context, name string) (*batchv1.Job, error) {
	job := &batchv1.Job{}
	return job, a.of(a.batch.Get(), "jobs").Name(name).Do(ctx).Into(job)
}

func (a *api) deleteJob(ctx context.Context, name string, opt *metav1.DeleteOptions) error {
	return a.of(a.batch.Delete(), "jobs").Name(name).Body(opt).Do(ctx).Error()
}

func (a *api) createSecret(ctx context.Context, secret *corev1.Secret) (*corev1.Secret, error) {
	made := &corev1.Secret{}
	return made, a.of(a.core.Post(), "secrets").Body(secret).Do(ctx).Into(made)
}

func (a *api) deleteSecret(ctx context.Context, name string, opt *metav1.DeleteOptions) error {
	return a.of(a.core.Delete(), "secrets").Name(name).Body(opt).Do(ctx).Error()
}

func (a *api) pods(ctx context.Context, opt metav1.ListOptions) (*corev1.PodList, error) {
	list := &corev1.PodList{}
	return list, a.of(a.core.Get(), "pods").VersionedParams(&opt, a.parameters).Do(ctx).Into(list)
}

func (a *api) watchPods(ctx context.Context, opt metav1.ListOptions) (watch.Interface, error) {
	opt.Watch = true
	return a.of(a.core.Get(), "pods").VersionedParams(&opt, a.parameters).Watch(ctx)
}

func (a *api) events(ctx context.Context, opt metav1.ListOptions) (*corev1.EventList, error) {
	list := &corev1.EventList{}
	return list, a.of(a.core.Get(), "events").VersionedParams(&opt, a.parameters).Do(ctx).Into(list)
}

func (a *api) podLog(ctx context.Context, name string, opt *corev1.PodLogOptions) (io.ReadCloser, error) {
	return a.of(a.core.Get(), "pods").Name(name).SubResource("log").VersionedParams(opt, a.parameters).Stream(ctx)
}
