package main

import (
	"context"
	"regexp"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

var anyIncrease = regexp.MustCompile(`^increase\(.*\) > 0`)

// checkBirths: a counter with labels has no series before it first counts, and a series that begins at 1 has not increased.
// An alert on any increase must fire for that one too, and not for ever.
func checkBirths(r *release, report reporter) {
	for _, rule := range r.alerts() {
		expression := rule.Expr.String()
		if !anyIncrease.MatchString(expression) {
			continue
		}
		for age, wanted := range map[time.Duration]bool{5 * time.Minute: true, 2 * time.Hour: false} {
			fires, err := firesFor(expression, age)
			if err != nil || fires != wanted {
				report("%s: %s: for a series that began at 1 %v ago it fires: %v (%v)", r.file, rule.Alert, age, fires, err)
			}
		}
	}
}

// firesFor evaluates an expression where each of its series began at 1 that long ago and has stood there since.
func firesFor(expression string, age time.Duration) (bool, error) {
	now := time.Unix(1e6, 0)
	var points []promql.FPoint
	for at := now.Add(-age); !at.After(now); at = at.Add(15 * time.Second) {
		points = append(points, promql.FPoint{T: at.UnixMilli(), F: 1})
	}
	querier := &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		var named []string
		for _, matcher := range matchers {
			named = append(named, matcher.Name, matcher.Value)
		}
		series := promql.NewStorageSeries(promql.Series{Metric: labels.FromStrings(named...), Floats: points})
		return &single{SeriesSet: storage.TestSeriesSet(series)}
	}}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute})
	ctx := context.Background()
	query, err := engine.NewInstantQuery(ctx, &storage.MockQueryable{MockQuerier: querier}, nil, expression, now)
	if err != nil {
		return false, err
	}
	result, err := query.Exec(ctx).Vector()
	return len(result) > 0, err
}

// single is a set that ends after its first series.
type single struct {
	storage.SeriesSet
	isRead bool
}

func (s *single) Next() bool {
	isNext := !s.isRead
	s.isRead = true
	return isNext
}
