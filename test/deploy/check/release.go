package main

import (
	"bytes"
	"os"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// release holds the objects that one rendering of the chart makes, by their real API types.
type release struct {
	file            string
	count           int
	deployments     []apps.Deployment
	services        []core.Service
	serviceAccounts []core.ServiceAccount
	configMaps      []core.ConfigMap
	autoscalers     []autoscaling.HorizontalPodAutoscaler
	budgets         []policy.PodDisruptionBudget
	networkPolicies []networking.NetworkPolicy
	monitors        []monitoring.ServiceMonitor
	rules           []monitoring.PrometheusRule
	scaledObjects   []keda.ScaledObject
}

// readRelease decodes every document of a file; keys that the type lacks, or that are there twice, are problems.
func readRelease(file string, report reporter) *release {
	text, err := os.ReadFile(file)
	exitOn(err)
	result := &release{file: file}
	for _, document := range bytes.Split(text, []byte("\n---")) {
		json, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			report("%s: %v", file, err)
			continue
		}
		if string(json) == "null" {
			continue
		}
		result.count++
		result.add(json, report)
	}
	return result
}

func (r *release) add(json []byte, report reporter) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	_ = kjson.UnmarshalCaseSensitivePreserveInts(json, &head)
	decode, known := map[string]func() ([]error, error){
		"apps/v1 Deployment":                      func() ([]error, error) { return appendTo(&r.deployments, json) },
		"v1 Service":                              func() ([]error, error) { return appendTo(&r.services, json) },
		"v1 ServiceAccount":                       func() ([]error, error) { return appendTo(&r.serviceAccounts, json) },
		"v1 ConfigMap":                            func() ([]error, error) { return appendTo(&r.configMaps, json) },
		"autoscaling/v2 HorizontalPodAutoscaler":  func() ([]error, error) { return appendTo(&r.autoscalers, json) },
		"policy/v1 PodDisruptionBudget":           func() ([]error, error) { return appendTo(&r.budgets, json) },
		"networking.k8s.io/v1 NetworkPolicy":      func() ([]error, error) { return appendTo(&r.networkPolicies, json) },
		"monitoring.coreos.com/v1 ServiceMonitor": func() ([]error, error) { return appendTo(&r.monitors, json) },
		"monitoring.coreos.com/v1 PrometheusRule": func() ([]error, error) { return appendTo(&r.rules, json) },
		"keda.sh/v1alpha1 ScaledObject":           func() ([]error, error) { return appendTo(&r.scaledObjects, json) },
	}[head.APIVersion+" "+head.Kind]
	if !known {
		report("%s: no type for %s %s", r.file, head.APIVersion, head.Kind)
		return
	}
	strict, err := decode()
	if err != nil {
		strict = append(strict, err)
	}
	for _, problem := range strict {
		report("%s: %s/%s: %v", r.file, head.Kind, head.Metadata.Name, problem)
	}
}

// appendTo decodes one object, case-sensitively as the API server does.
func appendTo[T any](list *[]T, json []byte) ([]error, error) {
	var object T
	strict, err := kjson.UnmarshalStrict(json, &object)
	*list = append(*list, object)
	return strict, err
}
