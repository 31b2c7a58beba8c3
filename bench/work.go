// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
	"github.com/auditlogs/terraform-provider-audit/internal/task"
)

// report is what a part prints when it is done.
type report struct {
	Entries int64   `json:"entries"`
	Peak    int64   `json:"peak"`    // bytes of memory at most; 0 where the system does not tell
	Seconds float64 `json:"seconds"` // where only a part of the run counts
}

func (r report) print() error {
	r.Peak = peakMemory()

	return json.NewEncoder(os.Stdout).Encode(r)
}

// peakMemory is of this process. What getrusage tells counts the process that started it as well.
func peakMemory() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}

	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}

	return 0
}

// exportLog does what audit_log_export does, from the configuration on.
func exportLog(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	service := flags.String("service", "", "")
	endpoint := flags.String("endpoint", "", "")
	start := flags.String("start", "", "")
	end := flags.String("end", "", "")
	out := flags.String("out", "", "")
	kind := flags.String("format", string(format.NDJSON), "")
	action := flags.String("action", "", "")
	strategy := flags.String("strategy", "", "")
	concurrency := flags.Int64("concurrency", 8, "")

	if err := flags.Parse(args); err != nil {
		return err
	}

	token := fakeapi.DefaultToken
	config := source.Config{MaxConcurrency: concurrency}

	if *service == auditlog.ServiceUpCloud {
		config.UpCloud = &source.UpCloud{Token: &token, Endpoint: *endpoint, Strategy: *strategy}
	} else {
		config.Cloudscale = &source.Cloudscale{Token: token, Endpoint: *endpoint}
	}

	sources := source.Configure(config, source.Options{
		Tool: "bench/0", Clock: time.Now, LookupEnv: func(string) (string, bool) { return "", false },
		Log: func(context.Context, string, map[string]any) {},
	})

	s, wrong, _ := sources.Service(explain.ExportLogs, *service)
	if wrong.HasError() {
		return problems(wrong)
	}

	arguments := &query.Arguments{Start: *start, End: *end}
	if *action != "" {
		arguments.Actions = []string{*action}
	}

	x := task.Export{
		Question: task.Question{Arguments: arguments, Summary: explain.ExportLogs, Now: time.Now()},
		Spec: export.Spec{
			Options: durable.Options{}, Path: *out, Format: format.Format(*kind), Overwrite: true, Tool: "bench/0",
			QueryAsWritten: export.QueryAsWritten{Start: *start, End: *end},
		},
		Redact: func() (*redact.Redactor, explain.Problems) { return nil, nil },
	}

	written, wrong := x.Run(ctx, s)
	if wrong.HasError() {
		return problems(wrong)
	}

	return report{Entries: written.EntryCount}.print()
}

func problems(all explain.Problems) error {
	errs := make([]error, len(all))
	for i, p := range all {
		errs[i] = errors.New(p.Summary + ": " + p.Detail())
	}

	return errors.Join(errs...)
}

// walk follows cloudscale's cursor or UpCloud's offset, looks at nothing else, and keeps nothing: what any reading of
// the pages takes that asks for one after the other.
func walk(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("walk", flag.ContinueOnError)
	url := flags.String("url", "", "")

	if err := flags.Parse(args); err != nil {
		return err
	}

	var body bytes.Buffer

	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	lead := []byte(`{"next":"`)

	for next := *url; next != ""; {
		if err := get(ctx, client, next, &body); err != nil {
			return err
		}

		rest, more := bytes.CutPrefix(body.Bytes(), lead)
		if !more {
			break
		}

		link, _, _ := bytes.Cut(rest, []byte(`"`))
		next = strings.ReplaceAll(string(link), `\u0026`, "&")

		body.Reset()
	}

	return report{}.print()
}

// get writes the body of an answer to out.
func get(ctx context.Context, client *http.Client, url string, out io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}

	req.Header.Set("Authorization", "Bearer "+fakeapi.DefaultToken)

	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()

	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}

	_, err = io.Copy(out, resp.Body)

	return err
}

// copyExport brings the bytes of UpCloud's bulk export to the disk, as they are.
func copyExport(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("copy", flag.ContinueOnError)
	url := flags.String("url", "", "")
	path := flags.String("out", "", "")

	if err := flags.Parse(args); err != nil {
		return err
	}

	file, err := os.Create(*path)
	if err != nil {
		return err
	}

	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}

	if err := errors.Join(get(ctx, client, *url, file), file.Sync(), file.Close()); err != nil {
		return err
	}

	return report{}.print()
}
