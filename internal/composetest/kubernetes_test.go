package composetest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/anteroom/anteroom/internal/config"
)

// workload is a Deployment, StatefulSet or Job, as far as they are alike.
type workload struct {
	kind, name string
	replicas   int32
	selector   map[string]string
	pod        corev1.PodTemplateSpec
}

// podAddress is where a pod is reached, hostAddress where its machine is.
const podAddress, hostAddress = "198.51.100.7", "192.0.2.1"

// rendered is what the example overlay makes, each object decoded strictly: a field that Kubernetes doesn't know fails.
type rendered struct {
	workloads []workload
	budgets   []policyv1.PodDisruptionBudget
	networks  []networkingv1.NetworkPolicy
	configs   map[string]corev1.ConfigMap
	kinds     []string
}

func render(t *testing.T) rendered {
	t.Helper()
	folder, err := filepath.Abs(root + "/deploy/kubernetes/overlays/example")
	if err != nil {
		t.Fatal(err)
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	out := rendered{configs: map[string]corev1.ConfigMap{}}
	for _, object := range made.Resources() {
		text, err := object.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		strictly := func(into any) {
			t.Helper()
			if err := yaml.UnmarshalStrict(text, into); err != nil {
				t.Errorf("%s: %v", object.CurId(), err)
			}
		}
		out.kinds = append(out.kinds, object.GetKind())
		if object.GetKind() != "Namespace" && object.GetNamespace() != "anteroom" {
			t.Errorf("%s is in the namespace %q", object.CurId(), object.GetNamespace())
		}
		switch object.GetKind() {
		case "Deployment":
			var d appsv1.Deployment
			strictly(&d)
			out.workloads = append(out.workloads, workload{"Deployment", d.Name, replicasOf(d.Spec.Replicas), d.Spec.Selector.MatchLabels, d.Spec.Template})
		case "StatefulSet":
			var s appsv1.StatefulSet
			strictly(&s)
			out.workloads = append(out.workloads, workload{"StatefulSet", s.Name, replicasOf(s.Spec.Replicas), s.Spec.Selector.MatchLabels, s.Spec.Template})
		case "Job":
			var j batchv1.Job
			strictly(&j)
			out.workloads = append(out.workloads, workload{"Job", j.Name, 1, nil, j.Spec.Template})
		case "PodDisruptionBudget":
			var b policyv1.PodDisruptionBudget
			strictly(&b)
			out.budgets = append(out.budgets, b)
		case "NetworkPolicy":
			var n networkingv1.NetworkPolicy
			strictly(&n)
			out.networks = append(out.networks, n)
		case "ConfigMap":
			var c corev1.ConfigMap
			strictly(&c)
			out.configs[c.Name] = c
		case "Service":
			strictly(&corev1.Service{})
		case "ServiceAccount":
			strictly(&corev1.ServiceAccount{})
		case "PersistentVolumeClaim":
			strictly(&corev1.PersistentVolumeClaim{})
		case "Namespace":
			strictly(&corev1.Namespace{})
		default:
			t.Errorf("%s is of a kind that isn't looked at", object.CurId())
		}
	}
	return out
}

func replicasOf(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

func TestKubernetes(t *testing.T) {
	all := render(t)
	if slices.Contains(all.kinds, "Secret") {
		t.Error("a secret is in the manifests: they may refer to one only")
	}
	roles := map[string]bool{}
	for _, w := range all.workloads {
		t.Run(w.name, func(t *testing.T) {
			checkPod(t, w)
			environ := environOf(t, w, all.configs)
			cfg, mode, err := config.LoadFor(config.Source{Environ: environ}, config.Serve)
			if err != nil {
				t.Fatalf("anteroom %s can't use it: %v\n%s", mode, err, strings.Join(environ, "\n"))
			}
			if w.kind == "Job" {
				return
			}
			role, found := strings.CutPrefix(w.pod.Spec.Containers[0].Args[1], "--roles=")
			if !found || w.selector["app.kubernetes.io/component"] != role {
				t.Errorf("it takes %q, and its component is %q", role, w.selector["app.kubernetes.io/component"])
			}
			roles[role] = true
			checkFolders(t, w, cfg, role)
			if role == "media" {
				checkNodes(t, w, cfg)
			}
			if !slices.ContainsFunc(all.budgets, func(b policyv1.PodDisruptionBudget) bool {
				return b.Spec.Selector.MatchLabels["app.kubernetes.io/component"] == role && b.Spec.MaxUnavailable.IntValue() == 1
			}) {
				t.Error("no disruption budget is about it")
			}
		})
	}
	for _, role := range []string{"api", "media", "ingest", "retention"} {
		if !roles[role] {
			t.Errorf("nothing takes the role %s", role)
		}
	}
	if !slices.ContainsFunc(all.networks, func(n networkingv1.NetworkPolicy) bool {
		return n.Name == "anteroom" && len(n.Spec.Ingress) == 1 && len(n.Spec.Ingress[0].From) == 1
	}) {
		t.Error("no network policy keeps everybody out by default")
	}
}

// checkPod holds a pod against what Kubernetes calls restricted, and wants probes of what stays.
func checkPod(t *testing.T, w workload) {
	t.Helper()
	spec := w.pod.Spec
	c := spec.Containers[0]
	is := func(what string, ok bool) {
		t.Helper()
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
	yes := func(b *bool) bool { return b != nil && *b }
	no := func(b *bool) bool { return b != nil && !*b }
	is("one container", len(spec.Containers) == 1)
	is("an image with a version", strings.HasSuffix(c.Image, ":0.1.0"))
	is("no rights in the cluster", no(spec.AutomountServiceAccountToken))
	is("no root", spec.SecurityContext != nil && yes(spec.SecurityContext.RunAsNonRoot) && spec.SecurityContext.SeccompProfile != nil)
	is("no more rights, nothing to write", c.SecurityContext != nil && no(c.SecurityContext.AllowPrivilegeEscalation) && yes(c.SecurityContext.ReadOnlyRootFilesystem) && slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}))
	is("what it takes is bounded", !c.Resources.Requests.Cpu().IsZero() && !c.Resources.Limits.Memory().IsZero())
	is("not in the host's network", !spec.HostNetwork)
	if w.kind == "Job" {
		return
	}
	for what, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		path := map[bool]string{true: "/readyz", false: "/healthz"}[what == "readiness"]
		is("a probe of "+what, probe != nil && probe.HTTPGet != nil && probe.HTTPGet.Path == path && probe.HTTPGet.Port.StrVal == "operations")
	}
	is("time for an ordered stop", spec.TerminationGracePeriodSeconds != nil && *spec.TerminationGracePeriodSeconds >= 20)
	is("it has the port of operations", slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == "operations" && p.ContainerPort == 9480 }))
}

// environOf is what a container finds, with secrets made up.
func environOf(t *testing.T, w workload, configs map[string]corev1.ConfigMap) []string {
	t.Helper()
	c := w.pod.Spec.Containers[0]
	var out []string
	before := map[string]string{}
	for _, from := range c.EnvFrom {
		found, ok := configs[from.ConfigMapRef.Name]
		if !ok {
			t.Errorf("there is no ConfigMap %s", from.ConfigMapRef.Name)
		}
		for name, value := range found.Data {
			out = append(out, name+"="+value)
		}
	}
	for _, e := range c.Env {
		switch value := e.Value; {
		case e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil:
			if e.ValueFrom.SecretKeyRef.Name != "anteroom-secrets" {
				t.Errorf("%s is from the secret %s", e.Name, e.ValueFrom.SecretKeyRef.Name)
			}
			out = append(out, e.Name+"=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
		case e.ValueFrom != nil && e.ValueFrom.FieldRef != nil:
			address := map[string]string{"status.podIP": podAddress, "status.hostIP": hostAddress}[e.ValueFrom.FieldRef.FieldPath]
			if address == "" {
				t.Errorf("%s is from %s, which isn't known here", e.Name, e.ValueFrom.FieldRef.FieldPath)
			}
			before[e.Name] = address
			if strings.HasPrefix(e.Name, "ANTEROOM_") {
				out = append(out, e.Name+"="+address)
			}
		default:
			if strings.Contains(e.Name, "PASSWORD") || strings.HasSuffix(e.Name, "_KEY") {
				t.Errorf("%s is written down", e.Name)
			}
			out = append(out, e.Name+"="+expanded(value, before))
		}
	}
	return out
}

// expanded puts in what stands before, as Kubernetes does.
func expanded(value string, before map[string]string) string {
	for name, is := range before {
		value = strings.ReplaceAll(value, "$("+name+")", is)
	}
	return value
}

// checkNodes: several media nodes share the meetings, so each has to be reached by the others, at its pod, and by clients' media, at its machine.
func checkNodes(t *testing.T, w workload, cfg config.Config) {
	t.Helper()
	if w.replicas < 2 {
		t.Errorf("there is %d node: the loss of one ends all meetings", w.replicas)
	}
	if want := "http://" + podAddress + ":8480"; cfg.Nodes.URL != want {
		t.Errorf("the others reach it at %q, want %q", cfg.Nodes.URL, want)
	}
	if !slices.Equal(cfg.Media.Forward.PublicAddresses, []string{hostAddress}) {
		t.Errorf("clients' media is sent to %q, want %q", cfg.Media.Forward.PublicAddresses, hostAddress)
	}
	for _, p := range w.pod.Spec.Containers[0].Ports {
		if strings.HasPrefix(p.Name, "media-") && p.HostPort != p.ContainerPort {
			t.Errorf("the port %s is not its machine's", p.Name)
		}
	}
}

// checkFolders: what the service keeps is on a volume, and not in the container.
func checkFolders(t *testing.T, w workload, cfg config.Config, role string) {
	t.Helper()
	needed := map[string][]string{
		"api": {cfg.Identity.StateFolder, cfg.Exports.Dir}, "media": {cfg.Identity.StateFolder}, "ingest": {cfg.Sealing.Dir}, "retention": {cfg.Ledger.Dir, cfg.Exports.Dir},
	}
	for _, folder := range needed[role] {
		if folder == "" || !slices.ContainsFunc(w.pod.Spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == folder }) {
			t.Errorf("the folder %q is on no volume", folder)
		}
	}
}
