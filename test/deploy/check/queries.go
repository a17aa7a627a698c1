package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

// query is PromQL and where it stands.
type query struct {
	where string
	text  string
}

// queries collects all PromQL of a release: of alerts, of KEDA's triggers and of dashboards.
func (r *release) queries(report reporter) []query {
	var queries []query
	for _, rule := range r.alerts() {
		queries = append(queries, query{r.file + ": alert " + rule.Alert, rule.Expr.String()})
	}
	for _, scaled := range r.scaledObjects {
		for _, trigger := range scaled.Spec.Triggers {
			queries = append(queries, query{r.file + ": trigger " + trigger.Name, trigger.Metadata["query"]})
		}
	}
	for _, configMap := range r.configMaps {
		for name, text := range configMap.Data {
			panels, err := dashboardQueries(text)
			if err != nil {
				report("%s: %s: %v", r.file, name, err)
			}
			for _, panel := range panels {
				queries = append(queries, query{r.file + ": panel " + panel.where, panel.text})
			}
		}
	}
	return queries
}

func (r *release) alerts() []monitoring.Rule {
	var alerts []monitoring.Rule
	for _, rule := range r.rules {
		for _, group := range rule.Spec.Groups {
			alerts = append(alerts, group.Rules...)
		}
	}
	return alerts
}

// checkAlerts: whoever is woken up learns how bad it is, what happened and what to do.
func checkAlerts(r *release, document string, report reporter) {
	for _, rule := range r.alerts() {
		severity := rule.Labels["severity"]
		if severity != "critical" && severity != "warning" {
			report("%s: %s has no severity", r.file, rule.Alert)
		}
		if rule.Annotations["summary"] == "" || rule.Annotations["runbook"] == "" {
			report("%s: %s has no summary or no runbook", r.file, rule.Alert)
		}
		if !strings.Contains(document, "\n### "+rule.Alert+"\n") {
			report("%s: the runbook has no heading %s", r.file, rule.Alert)
		}
	}
}

var (
	labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	// Grafana fills these in; what it puts there is not ours to check.
	variables = strings.NewReplacer("$__rate_interval", "1m", "$namespace", "a", "$job", "b", "$model", ".*")
)

// dashboardQueries reads the panels and variables of a Grafana dashboard.
func dashboardQueries(text string) ([]query, error) {
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []struct {
				Name       string `json:"name"`
				Type       string `json:"type"`
				Definition string `json:"definition"`
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		return nil, err
	}
	var queries []query
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, query{panel.Title, variables.Replace(target.Expr)})
		}
	}
	for _, variable := range dashboard.Templating.List {
		if variable.Type != "query" {
			continue
		}
		parts := labelValues.FindStringSubmatch(variable.Definition)
		if parts == nil {
			return nil, fmt.Errorf("variable %s: %s is no label_values", variable.Name, variable.Definition)
		}
		// The label that is listed must be one of the series: as a by clause it is looked at like any other.
		text := fmt.Sprintf("count by (%s) (%s)", parts[2], variables.Replace(parts[1]))
		queries = append(queries, query{"variable " + variable.Name, text})
	}
	return queries, nil
}
