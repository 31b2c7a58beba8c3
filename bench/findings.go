// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// month is the window of the log that findings are measured with.
var month = auditlog.Window{
	Start: time.Date(2026, time.May, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC),
}

// madeUp is a log of any length that takes no memory and next to no time. Every fifth entry is a deletion, every
// seventh a login, twenty people take turns, and one in three was overtaken by a second.
type madeUp struct{ n int }

func (s *madeUp) Info() auditlog.Info {
	return auditlog.Info{
		Name: auditlog.ServicePodStack, Title: "PodStack", Retention: 90 * 24 * time.Hour,
		Operations: auditlog.Operations(), UniqueActor: func(*auditlog.Entry) bool { return true },
	}
}

func (s *madeUp) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (s *madeUp) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.Info().Retention, q.Window.End)
	step := q.Window.End.Sub(q.Window.Start) / time.Duration(s.n)

	numbered := func(prefix string, n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = prefix + strconv.Itoa(i)
		}

		return out
	}
	actors, addresses := numbered("user-", 20), numbered("192.0.2.", 250)
	operations := []auditlog.Operation{"update", "create", "start", "stop", "attach", "login_failed", "grant", "read"}

	return func(yield func(auditlog.Entry, error) bool) {
		for i := range s.n {
			at := q.Window.Start.Add(time.Duration(i) * step)
			if i%3 == 0 && at.Add(-time.Second).After(q.Window.Start) {
				at = at.Add(-time.Second)
			}

			op := operations[i%len(operations)]

			switch {
			case i%5 == 0:
				op = auditlog.OperationDelete
			case i%7 == 0:
				op = auditlog.OperationLogin
			}

			if len(q.Operations) > 0 && !slices.Contains(q.Operations, op) {
				continue
			}

			text := "01HQXYZ0000000000000web-" + strconv.Itoa(i)

			if !yield(auditlog.Entry{
				ID: text, Time: at, Service: auditlog.ServicePodStack, Action: string(op), Operation: op,
				ActorType: auditlog.ActorUser, Actor: actors[i%len(actors)], ResourceType: "server",
				ResourceID: text[24:], ResourceName: text[20:], Origin: "api", IPAddress: addresses[i%len(addresses)],
			}, nil) {
				return
			}
		}

		c.RowsFetched, c.Proof = int64(s.n), auditlog.ProofExports
	}
}

// evaluate holds every built-in rule and five in CEL against a log in memory.
func evaluate(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("findings", flag.ContinueOnError)
	entries := flags.Int("entries", 0, "")

	if err := flags.Parse(args); err != nil {
		return err
	}

	rules := []finding.Rule{
		{Threshold: 3, Within: new(time.Minute), GroupBy: []string{"actor"}},
		{Threshold: 1},
		{Threshold: 5, Within: new(time.Hour), GroupBy: []string{"ip_address", "resource_type"}},
		{Threshold: 5, Within: new(24 * time.Hour), GroupBy: []string{"actor"}},
		{Threshold: 1000},
	}

	for i, text := range []string{
		`entry.operation == "delete" && entry.actor != "ci"`,
		`entry.resource_type == "server" && entry.resource_name.startsWith("prod-")`,
		`ip_in(entry.ip_address, "192.0.2.0/28")`,
		`entry.time.getHours() < 6 && entry.operation in ["grant", "revoke"]`,
		`entry.action.matches("^log(in|out)") && entry.actor.endsWith("-7")`,
	} {
		condition, err := where.Compile(text)
		if err != nil {
			return err
		}

		rules[i].Name, rules[i].Severity, rules[i].Condition = fmt.Sprint("own-", i), finding.SeverityLow, condition
	}

	begun := time.Now()

	var c auditlog.Completeness

	result, err := finding.Evaluate(ctx, &madeUp{*entries}, auditlog.Query{Window: month}, finding.Options{
		Builtins: finding.BuiltinNames(), Rules: rules,
		Expected: []finding.Expectation{{Actors: []string{"user-1*"}, ResourceNames: []string{"web-*"}}},
	}, &c)
	if err != nil {
		return err
	}

	if result.EntryCount != int64(*entries) || result.CountsByRule["deletion"] == 0 {
		return fmt.Errorf("rules found %v in %d entries", result.CountsByRule, result.EntryCount)
	}

	return report{Entries: result.EntryCount, Seconds: time.Since(begun).Seconds()}.print()
}

// findingsBefore is how long findings took for a million entries before they were made faster, over what the
// reference takes, both measured in turns on one machine.
const findingsBefore = 0.92

// reference is a piece of work that nothing of ours can make faster or slower, so that today's run can be compared
// with that of another day or another machine: JSON, texts, a map, a pattern, and memory that becomes garbage.
func reference(context.Context, []string) error {
	pattern := regexp.MustCompile(`^log(in|out)|delete$`)
	counts := map[string]int{}
	begun := time.Now()

	for i := range 900_000 {
		text, err := json.Marshal(map[string]any{
			"id": i, "actor": "user-" + strconv.Itoa(i%1000), "action": []string{"login", "create", "delete"}[i%3],
			"labels": []string{"a", "b"}, "time": month.Start.Add(time.Duration(i) * time.Second).Format(time.RFC3339Nano),
		})
		if err != nil {
			return err
		}

		var back struct {
			Actor  string    `json:"actor"`
			Action string    `json:"action"`
			Labels []string  `json:"labels"`
			Time   time.Time `json:"time"`
		}
		if err := json.Unmarshal(text, &back); err != nil {
			return err
		}

		if pattern.MatchString(back.Action) && strings.HasPrefix(back.Actor, "user-") {
			counts[back.Actor+"/"+back.Action]++
		}
	}

	if len(counts) != 2000 {
		return errors.New("the reference did other work than it should: " + strconv.Itoa(len(counts)))
	}

	return json.NewEncoder(os.Stdout).Encode(report{Seconds: time.Since(begun).Seconds()})
}
