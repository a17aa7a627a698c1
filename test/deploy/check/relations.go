package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The health endpoints that the server answers on both of the ports that probes may ask.
var healthPaths = []string{"/v2/health/live", "/v2/health/ready"}

// checkRelease holds what no schema says: selectors meet labels, names meet names, times add up.
func checkRelease(r *release, report reporter) {
	if len(r.deployments) != 1 {
		report("%s: %d deployments", r.file, len(r.deployments))
		return
	}
	deployment := r.deployments[0]
	pod := deployment.Spec.Template
	server := pod.Spec.Containers[0]
	wrong := func(format string, arguments ...any) { report(r.file+": "+format, arguments...) }

	selects := func(what string, selector *meta.LabelSelector, target map[string]string) {
		parsed, err := meta.LabelSelectorAsSelector(selector)
		if err != nil || parsed.Empty() || !parsed.Matches(labels.Set(target)) {
			wrong("%s selects nothing: %v", what, selector)
		}
	}
	selects("Deployment", deployment.Spec.Selector, pod.Labels)
	for _, constraint := range pod.Spec.TopologySpreadConstraints {
		selects("topology spread", constraint.LabelSelector, pod.Labels)
	}
	for _, budget := range r.budgets {
		selects("PodDisruptionBudget", budget.Spec.Selector, pod.Labels)
	}
	for _, policy := range r.networkPolicies {
		selects("NetworkPolicy", &policy.Spec.PodSelector, pod.Labels)
		for _, rule := range policy.Spec.Ingress {
			for _, port := range rule.Ports {
				checkPort(server, *port.Port, "NetworkPolicy", wrong)
			}
		}
	}
	for _, service := range r.services {
		selects("Service "+service.Name, &meta.LabelSelector{MatchLabels: service.Spec.Selector}, pod.Labels)
		for _, port := range service.Spec.Ports {
			checkPort(server, port.TargetPort, "Service "+service.Name, wrong)
		}
	}
	for _, monitor := range r.monitors {
		checkMonitor(r, monitor.Spec.Selector, monitor.Spec.Endpoints[0], wrong)
	}
	checkReferences(r, pod, wrong)
	checkProbes(server, wrong)
	checkShutdown(pod.Spec, server, wrong)
	rolling := deployment.Spec.Strategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() < 1 {
		wrong("a rollout takes pods away before their successors are ready")
	}
}

func checkPort(server core.Container, port intstr.IntOrString, what string, wrong reporter) {
	has := slices.ContainsFunc(server.Ports, func(each core.ContainerPort) bool {
		return each.Name == port.StrVal || (each.ContainerPort == port.IntVal && port.StrVal == "")
	})
	if !has {
		wrong("%s: the server has no port %s", what, port.String())
	}
}

// checkReferences: a mount has its volume, a volume its mount, and the service account is the one that is made.
func checkReferences(r *release, pod core.PodTemplateSpec, wrong reporter) {
	volumes := map[string]bool{}
	for _, volume := range pod.Spec.Volumes {
		volumes[volume.Name] = false
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, mount := range container.VolumeMounts {
			if _, exists := volumes[mount.Name]; !exists {
				wrong("container %s mounts no volume: %s", container.Name, mount.Name)
			}
			volumes[mount.Name] = true
		}
		security := container.SecurityContext
		if security == nil || !*security.ReadOnlyRootFilesystem || *security.AllowPrivilegeEscalation {
			wrong("container %s is not locked down", container.Name)
		}
	}
	for name := range maps.Keys(volumes) {
		if !volumes[name] {
			wrong("volume %s is mounted nowhere", name)
		}
	}
	for _, account := range r.serviceAccounts {
		if account.Name != pod.Spec.ServiceAccountName {
			wrong("ServiceAccount %s is not that of the pods", account.Name)
		}
	}
}

func checkProbes(server core.Container, wrong reporter) {
	for name, probe := range map[string]*core.Probe{
		"startup": server.StartupProbe, "readiness": server.ReadinessProbe, "liveness": server.LivenessProbe,
	} {
		if probe == nil || probe.HTTPGet == nil || !slices.Contains(healthPaths, probe.HTTPGet.Path) {
			wrong("the %s probe asks no endpoint of the server", name)
			continue
		}
		checkPort(server, probe.HTTPGet.Port, name+" probe", wrong)
		hasTLS := slices.ContainsFunc(server.Env, func(env core.EnvVar) bool { return env.Name == "LCQ_TLS_CERT" })
		asksTLS := probe.HTTPGet.Scheme == core.URISchemeHTTPS
		if asksTLS != (hasTLS && probe.HTTPGet.Port.StrVal == "http") {
			wrong("the %s probe asks port %s by %s", name, probe.HTTPGet.Port.StrVal, probe.HTTPGet.Scheme)
		}
	}
}

// checkShutdown: the pod is killed only after the drain delay and the drain.
func checkShutdown(pod core.PodSpec, server core.Container, wrong reporter) {
	milliseconds := map[string]float64{}
	for _, env := range server.Env {
		if value, err := strconv.ParseFloat(env.Value, 64); err == nil && strings.HasPrefix(env.Name, "LCQ_DRAIN") {
			milliseconds[env.Name] = value
		}
	}
	delay, timeout := milliseconds["LCQ_DRAIN_DELAY_MS"], milliseconds["LCQ_DRAIN_TIMEOUT_MS"]
	if delay <= 0 || timeout <= 0 || float64(*pod.TerminationGracePeriodSeconds)*1000 < delay+timeout {
		wrong("grace period of %d s for a delay of %v ms and a drain of %v ms",
			*pod.TerminationGracePeriodSeconds, delay, timeout)
	}
	readiness := server.ReadinessProbe
	if seconds := float64(readiness.PeriodSeconds * readiness.FailureThreshold); seconds*1000 > delay {
		wrong("pods are found not ready after %v s, and stop taking requests after %v ms", seconds, delay)
	}
}
