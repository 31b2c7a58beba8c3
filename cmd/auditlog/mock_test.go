// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// mock runs `auditlog mock` until the test ends and returns what it announced.
func mock(t *testing.T, args ...string) (announcement, *bytes.Buffer, func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	stderr := &bytes.Buffer{} // read only after the command has ended
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"mock"}, args...),
			testEnvironment(writer, stderr, fakeapi.DefaultNow))
		_ = writer.Close()
	}()
	stopped := -1
	stop := func() int {
		if cancel(); stopped < 0 {
			stopped = <-code
		}
		return stopped
	}
	t.Cleanup(func() { stop() })
	var hello announcement
	out := json.NewDecoder(reader)
	if err := out.Decode(&hello); err != nil {
		stop()
		t.Fatalf("no announcement: %v\n%s", err, stderr)
	}
	return hello, stderr, func() int {
		rest := make(chan error, 1)
		go func() { _, err := out.Token(); rest <- err }()
		got := stop()
		if err := <-rest; !errors.Is(err, io.EOF) {
			t.Errorf("standard output goes on after its one line: %v", err)
		}
		return got
	}
}

func get(t *testing.T, hello announcement, address string) (string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+hello.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s", address, resp.Status, &body)
	}
	return body.String(), resp.Header
}

// everything fetches all pages of both services, without the ports that differ from run to run.
func everything(t *testing.T, hello announcement) []string {
	t.Helper()
	var pages []string
	for offset := 0; offset < 1200; offset += 200 {
		body, header := get(t, hello, hello.UpCloud+"/1.3/audit-logs?limit=200&offset="+strconv.Itoa(offset))
		pages = append(pages, header.Get("UpCloud-Total-Count"), body)
	}
	options, _ := get(t, hello, hello.UpCloud+"/1.3/audit-logs/filter-options")
	pages = append(pages, options)
	next := hello.Cloudscale + "/v1/project-logs?start=2000-01-01T00%3A00Z"
	for next != "" {
		body, _ := get(t, hello, next)
		pages = append(pages, strings.ReplaceAll(body, hello.Cloudscale, ""))
		var page struct{ Next *string }
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		if next = ""; page.Next != nil {
			next = *page.Next
		}
	}
	return pages
}

func TestMockServesTheSameBytesForTheSameFlags(t *testing.T) {
	t.Parallel()
	flags := []string{"--entries", "1000", "--seed", "7"}
	first, _, _ := mock(t, flags...)
	second, _, _ := mock(t, flags...)
	other, _, _ := mock(t, "--entries", "1000", "--seed", "8")
	a, b, c := everything(t, first), everything(t, second), everything(t, other)
	if len(a) != len(b) || len(a) < 15 {
		t.Fatalf("%d and %d pages", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("page %d differs", i)
		}
	}
	if strings.Join(a, "") == strings.Join(c, "") {
		t.Error("another seed serves the same records")
	}
	if a[0] != "1001" {
		t.Errorf("total %s, want the 1000 entries and the documented one", a[0])
	}
}

func TestMockAnnouncesItselfAndStopsGracefully(t *testing.T) {
	t.Parallel()
	hello, stderr, stop := mock(t, "--entries", "20")
	for _, address := range []string{hello.UpCloud, hello.Cloudscale} {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "" {
			t.Errorf("announced %q", address)
		}
	}
	if hello.Token != fakeapi.DefaultToken || hello.Username != fakeapi.DefaultUsername ||
		hello.Password != fakeapi.DefaultPassword {
		t.Errorf("announced %+v", hello)
	}
	if code := stop(); code != 0 {
		t.Errorf("exit code %d after an interrupt", code)
	}
	said := stderr.String()
	for _, want := range []string{"Serving records from 2026-05-31T", " to 2026-06-30T11:5", `last = "24h"`, "--now now"} {
		if !strings.Contains(said, want) {
			t.Errorf("standard error lacks %q: %s", want, said)
		}
	}
	if resp, err := http.Get(hello.UpCloud); err == nil {
		resp.Body.Close()
		t.Error("still serving")
	}
}

func TestMockFlags(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "records.ndjson")
	record := `{"cloud_event_id":"X1", "extra":1,"time":"2026-01-02T03:04:05Z"}`
	writeFile(t, file, `{"service":"upcloud","record":`+record+"}\n")

	hello, _, _ := mock(t, "--load", file, "--upcloud-order", "oldest", "--upcloud-offset", "page", "--upcloud-max-limit",
		"1",
		"--latency", "1ms", "--cloudscale-end", "first-page", "--now", "now")
	first, header := get(t, hello, hello.UpCloud+"/1.3/audit-logs?limit=50&offset=1")
	if header.Get("UpCloud-Total-Count") != "2" || !strings.Contains(first, "01HQXYZ123456789ABCDEFGHJK") ||
		strings.Contains(first, "X1") {
		t.Errorf("first page: total %s, %s", header.Get("UpCloud-Total-Count"), first)
	}
	if second, _ := get(t, hello, hello.UpCloud+"/1.3/audit-logs?limit=50&offset=2"); second != `{"audit_logs":[`+record+
		`]}` {
		t.Errorf("second page: %s", second)
	}
}

func TestMockListensWhereItIsTold(t *testing.T) {
	t.Parallel()
	probe, _, stop := mock(t, "--entries", "0") // two free ports
	port := func(address string) string { u, _ := url.Parse(address); return u.Port() }
	taken := port(probe.UpCloud)
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"mock", "--listen", "127.0.0.1:" + taken},
		testEnvironment(io.Discard, &stderr, fakeapi.DefaultNow))
	if code != 2 || !strings.Contains(stderr.String(), "cannot listen for UpCloud requests") {
		t.Errorf("a taken port: exit code %d, %s", code, &stderr)
	}
	stop()

	hello, said, stopAll := mock(t, "--listen", ":0", "--entries", "0")
	if !strings.HasPrefix(hello.UpCloud, "http://127.0.0.1:") {
		t.Errorf("announced %s, want an address a client can use", hello.UpCloud)
	}
	get(t, hello, hello.UpCloud+"/1.3/audit-logs")
	stopAll()
	if !strings.Contains(said.String(), "Warning:") {
		t.Errorf("no warning about other machines: %s", said)
	}
}

func TestMockRefusesBadFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.ndjson")
	writeFile(t, bad, "\n{\"service\":\"moon\",\"record\":{}}\n")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"fault":       {[]string{"--fault", "rain"}, `unknown fault "rain"; known are 429`},
		"rate":        {[]string{"--fault", "429:2"}, `the rate must be a number above 0 and up to 1`},
		"now":         {[]string{"--now", "yesterday"}, `--now must be an RFC 3339 time`},
		"listen":      {[]string{"--listen", "8080"}, `--listen must be HOST:PORT`},
		"last port":   {[]string{"--listen", "127.0.0.1:65535"}, `--listen must be HOST:PORT`},
		"entries":     {[]string{"--entries=-1"}, `The value of --entries cannot be used: it is less than 0.`},
		"max limit":   {[]string{"--upcloud-max-limit=0"}, `The value of --upcloud-max-limit cannot be used: it is less than 1.`},
		"latency":     {[]string{"--latency=-1s"}, `The value of --latency cannot be used: it is less than 0s.`},
		"offset":      {[]string{"--upcloud-offset", "both"}, "Give one of row, page."},
		"absent file": {[]string{"--load", filepath.Join(dir, "absent")}, `cannot read the records to serve`},
		"bad file":    {[]string{"--load", bad}, `bad.ndjson: line 2: unknown service "moon"`},
		"flag":        {[]string{"--frobnicate"}, `unknown flag --frobnicate`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append([]string{"mock"}, tc.args...), testEnvironment(&stdout, &stderr, fakeapi.DefaultNow))
			if code == 0 || stdout.Len() > 0 || !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("exit code %d, stdout %q, stderr %q; want one that is not 0, nothing, %q", code, &stdout, &stderr, tc.want)
			}
		})
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{"--version": version + "\n", "--help": "mock"} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{arg}, testEnvironment(&stdout, &stderr, fakeapi.DefaultNow))
		if code != 0 || !strings.Contains(stdout.String(), want) || stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", arg, code, &stdout, &stderr)
		}
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A clock stands still in tests; this makes sure that the word now reads it.
func TestMockNowIsTheClock(t *testing.T) {
	t.Parallel()
	clock := func() time.Time { return time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC) }
	fake, err := (&mockCommand{Entries: 10, Now: "now", UpCloudMaxLimit: 1}).fake(environment{now: clock})
	if err != nil {
		t.Fatal(err)
	}
	if _, last, _ := fake.Bounds(); clock().Sub(last) < 0 || clock().Sub(last) > 2*time.Minute {
		t.Errorf("newest record at %s, want it shortly before %s", last, clock())
	}
}

// TestMockTellsTheMachinesTime: whenever the data end, unless it is told to be off.
func TestMockTellsTheMachinesTime(t *testing.T) {
	t.Parallel()
	for skew, want := range map[string]time.Duration{"": 0, "1h": time.Hour, "-90s": -90 * time.Second} {
		args := []string{"--entries", "5", "--now", "2024-01-01T00:00:00Z"}
		if skew != "" {
			args = append(args, "--clock-skew="+skew)
		}
		hello, _, _ := mock(t, args...)
		for _, address := range []string{hello.UpCloud + "/1.3/audit-logs", hello.Cloudscale + "/v1/project-logs"} {
			_, header := get(t, hello, address)
			if got, wanted := header.Get("Date"), fakeapi.DefaultNow().Add(want).Format(http.TimeFormat); got != wanted {
				t.Errorf("--clock-skew %q: Date %q, want %q", skew, got, wanted)
			}
		}
	}
}

// TestFaultsAreDocumented holds the table of the documentation, and the help, against the faults as they are.
// UPDATE_GOLDEN=1 rewrites the table.
func TestFaultsAreDocumented(t *testing.T) {
	t.Parallel()
	const page = "../../templates/guides/testing.md.tmpl"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, fault := range fakeapi.Faults() {
		what := fault.Text
		if fault.Only != "" {
			what = map[string]string{"upcloud": "UpCloud", "cloudscale": "cloudscale"}[fault.Only] + " only: " + what
		}
		_, _ = fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", fault.Name, what, fault.Remedy)
		if !strings.Contains((&mockCommand{}).Help(), fault.Name) {
			t.Errorf("the help lacks %s", fault.Name)
		}
	}
	before, rest, found := strings.Cut(string(text), "| fault | what happens | what the provider makes of it |\n| --- | --- | --- |\n")
	_, after, ends := strings.Cut(rest, "\n\nWhat is said here of UpCloud")
	if !found || !ends {
		t.Fatal("the documentation has no table of faults")
	}
	head := string(text)[len(before) : len(text)-len(rest)]
	want := before + head + rows.String() + "\nWhat is said here of UpCloud" + after
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("the documentation's table is not that of the faults; UPDATE_GOLDEN=1 rewrites it:\n%s", rows.String())
	}
}
