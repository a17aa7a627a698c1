// Command check reads rendered Kubernetes manifests and says what is wrong with them:
//
//	check -metrics FILE -codes A,B -docs FILE -adapter FILE MANIFEST...
//
// Every object must fit its real API type with no key left over, objects must fit together, and every metric and label of
// a query must be one that a running server exposes. Exits with 1 if anything is wrong.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	metricsFile := flag.String("metrics", "", "what a running server's /metrics answered")
	codes := flag.String("codes", "", "comma-separated values that the label code may have")
	docs := flag.String("docs", "", "document with a heading for every alert")
	adapter := flag.String("adapter", "", "values of prometheus-adapter with its rules")
	flag.Parse()

	exposed, err := readExposed(*metricsFile, strings.Split(*codes, ","))
	exitOn(err)
	document, err := os.ReadFile(*docs)
	exitOn(err)
	rules, err := readAdapterRules(*adapter)
	exitOn(err)

	var problems []string
	report := func(format string, arguments ...any) {
		problems = append(problems, fmt.Sprintf(format, arguments...))
	}
	queries := adapterQueries(rules)
	objects := 0
	for _, path := range flag.Args() {
		before := len(problems)
		release := readRelease(path, report)
		objects += release.count
		// What could not be read has no relations to look at.
		if len(problems) > before {
			continue
		}
		checkRelease(release, report)
		checkAlerts(release, string(document), report)
		checkBirths(release, report)
		checkScaling(release, rules, report)
		queries = append(queries, release.queries(report)...)
	}
	for _, query := range queries {
		exposed.check(query, report)
	}
	for _, problem := range problems {
		fmt.Println(problem)
	}
	fmt.Printf("%d manifests, %d objects, %d queries: %d problems\n",
		flag.NArg(), objects, len(queries), len(problems))
	if len(problems) > 0 {
		os.Exit(1)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

type reporter func(format string, arguments ...any)
