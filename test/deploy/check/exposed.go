package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Labels that Prometheus gives a series by where it was scraped.
var targetLabels = []string{"namespace", "pod", "service", "job", "instance", "container", "endpoint"}

// exposed is what a server's metrics port shows: names of series, their labels, and the values these had.
type exposed struct {
	series map[string]map[string]map[string]bool
	codes  []string
}

func readExposed(file string, codes []string) (*exposed, error) {
	reader, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	textParser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := textParser.TextToMetricFamilies(reader)
	if err != nil {
		return nil, err
	}
	result := &exposed{series: map[string]map[string]map[string]bool{}, codes: codes}
	for name, family := range families {
		for _, suffix := range suffixes(family.GetType()) {
			result.series[name+suffix] = labelsOf(family, suffix == "_bucket")
		}
	}
	return result, nil
}

func suffixes(kind dto.MetricType) []string {
	switch kind {
	case dto.MetricType_HISTOGRAM:
		return []string{"_bucket", "_sum", "_count"}
	case dto.MetricType_SUMMARY:
		return []string{"", "_sum", "_count"}
	default:
		return []string{""}
	}
}

func labelsOf(family *dto.MetricFamily, isBucket bool) map[string]map[string]bool {
	values := map[string]map[string]bool{}
	add := func(name, value string) {
		if values[name] == nil {
			values[name] = map[string]bool{}
		}
		values[name][value] = true
	}
	for _, metric := range family.GetMetric() {
		for _, pair := range metric.GetLabel() {
			add(pair.GetName(), pair.GetValue())
		}
		for _, bucket := range metric.GetHistogram().GetBucket() {
			if isBucket {
				add("le", fmt.Sprint(bucket.GetUpperBound()))
			}
		}
	}
	return values
}

// check parses a query and reports every metric, label and label value in it that the server does not have.
func (e *exposed) check(q query, report reporter) {
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(q.text)
	if err != nil {
		report("%s: %v in %s", q.where, err, q.text)
		return
	}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			e.checkSelector(q, node, report)
		case *parser.AggregateExpr:
			e.checkGrouping(q, node.Expr, node.Grouping, report)
		case *parser.BinaryExpr:
			if node.VectorMatching != nil {
				e.checkGrouping(q, node, node.VectorMatching.MatchingLabels, report)
			}
		}
		return nil
	})
}

func (e *exposed) checkSelector(q query, selector *parser.VectorSelector, report reporter) {
	known, exists := e.series[selector.Name]
	if !exists {
		report("%s: unknown metric %s", q.where, selector.Name)
		return
	}
	for _, matcher := range selector.LabelMatchers {
		if matcher.Name == labels.MetricName || slices.Contains(targetLabels, matcher.Name) {
			continue
		}
		values, exists := known[matcher.Name]
		if !exists {
			report("%s: %s has no label %s", q.where, selector.Name, matcher.Name)
			continue
		}
		for _, value := range strings.Split(matcher.Value, "|") {
			isKnown := values[value] || value == ".*" || (matcher.Name == "code" && slices.Contains(e.codes, value))
			if !isKnown {
				report("%s: %s never has %s=%q", q.where, selector.Name, matcher.Name, value)
			}
		}
	}
}

// checkGrouping: each label of a by clause must be one of every series below it.
func (e *exposed) checkGrouping(q query, below parser.Expr, grouping []string, report reporter) {
	parser.Inspect(below, func(node parser.Node, _ []parser.Node) error {
		selector, isSelector := node.(*parser.VectorSelector)
		if !isSelector {
			return nil
		}
		for _, label := range grouping {
			_, exists := e.series[selector.Name][label]
			if !exists && !slices.Contains(targetLabels, label) {
				report("%s: %s has no label %s to group by", q.where, selector.Name, label)
			}
		}
		return nil
	})
}
