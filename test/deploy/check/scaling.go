package main

import (
	"os"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// adapterRules are values of the chart prometheus-adapter.
type adapterRules struct {
	Rules struct {
		Custom []adapterRule `json:"custom"`
	} `json:"rules"`
}

type adapterRule struct {
	SeriesQuery string `json:"seriesQuery"`
	Resources   struct {
		Overrides map[string]struct {
			Resource string `json:"resource"`
		} `json:"overrides"`
	} `json:"resources"`
	Name struct {
		As string `json:"as"`
	} `json:"name"`
	MetricsQuery string `json:"metricsQuery"`
}

func readAdapterRules(file string) ([]adapterRule, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var values adapterRules
	err = yaml.UnmarshalStrict(text, &values)
	return values.Rules.Custom, err
}

// adapterQueries puts what the adapter would put into the places of its templates.
func adapterQueries(rules []adapterRule) []query {
	var queries []query
	for _, rule := range rules {
		series, _, _ := strings.Cut(rule.SeriesQuery, "{")
		filled := strings.NewReplacer(
			"<<.Series>>", series, "<<.LabelMatchers>>", `namespace="a",pod="b"`, "<<.GroupBy>>", "pod",
		).Replace(rule.MetricsQuery)
		where := "prometheus-adapter " + rule.Name.As
		queries = append(queries, query{where, rule.SeriesQuery}, query{where, filled})
	}
	return queries
}

// checkScaling: autoscalers aim at the deployment, by metrics that the adapter has a rule for.
func checkScaling(r *release, rules []adapterRule, report reporter) {
	name := r.deployments[0].Name
	for _, scaler := range r.autoscalers {
		target := scaler.Spec.ScaleTargetRef
		if target.Kind != "Deployment" || target.Name != name || target.APIVersion != "apps/v1" {
			report("%s: the autoscaler's target does not exist: %v", r.file, target)
		}
		for _, metric := range scaler.Spec.Metrics {
			has := slices.ContainsFunc(rules, func(rule adapterRule) bool { return rule.Name.As == metric.Pods.Metric.Name })
			if !has {
				report("%s: prometheus-adapter has no rule for %s", r.file, metric.Pods.Metric.Name)
			}
		}
	}
	for _, scaled := range r.scaledObjects {
		if scaled.Spec.ScaleTargetRef.Name != name {
			report("%s: the ScaledObject's target does not exist: %s", r.file, scaled.Spec.ScaleTargetRef.Name)
		}
	}
	if len(r.autoscalers)+len(r.scaledObjects) > 0 && r.deployments[0].Spec.Replicas != nil {
		report("%s: the deployment sets replicas beside an autoscaler", r.file)
	}
}

// checkMonitor: the ServiceMonitor finds one service of the release, by a port that it has.
func checkMonitor(r *release, selector meta.LabelSelector, endpoint monitoring.Endpoint, wrong reporter) {
	parsed, err := meta.LabelSelectorAsSelector(&selector)
	found := 0
	for _, service := range r.services {
		if err != nil || !parsed.Matches(labels.Set(service.Labels)) {
			continue
		}
		found++
		for _, port := range service.Spec.Ports {
			if port.Name != endpoint.Port {
				wrong("the ServiceMonitor scrapes port %s, the service has %s", endpoint.Port, port.Name)
			}
		}
	}
	if found != 1 {
		wrong("the ServiceMonitor finds %d services", found)
	}
}
