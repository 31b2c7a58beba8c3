// SPDX-License-Identifier: MPL-2.0

package doctor_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/doctor"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// world is what an examination finds: both clouds by their fakes.
type world struct {
	fake *fakeapi.Server
	env  map[string]string
	// wait bounds a request; zero stands for long enough that nothing ends it.
	wait time.Duration
}

// serve serves both clouds until the test ends. Wrap, where not nil, stands in front.
func serve(t *testing.T, o fakeapi.Options, wrap func(http.Handler) http.Handler) *world {
	t.Helper()

	if wrap == nil {
		wrap = func(h http.Handler) http.Handler { return h }
	}

	fake, err := fakeapi.New(o)
	if err != nil {
		t.Fatal(err)
	}

	upcloud, cloudscale := httptest.NewServer(wrap(fake.UpCloud())), httptest.NewServer(wrap(fake.Cloudscale()))
	t.Cleanup(upcloud.Close)
	t.Cleanup(cloudscale.Close)

	return &world{fake: fake, wait: time.Hour, env: map[string]string{
		"UPCLOUD_TOKEN": fakeapi.DefaultToken, "UPCLOUD_DEBUG_API_BASE_URL": upcloud.URL,
		"CLOUDSCALE_API_TOKEN": fakeapi.DefaultToken, "CLOUDSCALE_API_URL": cloudscale.URL,
	}}
}

func (w *world) run(ctx context.Context, log source.Log, c source.Config) []doctor.Report {
	sources := source.Configure(c, source.Options{
		Tool: "test", Clock: fakeapi.DefaultNow,
		LookupEnv: func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
	})

	return doctor.Run(ctx, doctor.Options{
		Sources: sources, Log: log, Clock: fakeapi.DefaultNow,
		Timeout: w.wait, Total: time.Hour, Pause: time.Microsecond,
	})
}

func (w *world) examine(t *testing.T, service string) doctor.Report {
	t.Helper()

	reports := w.run(t.Context(), source.Log{Service: service}, source.Config{})
	if len(reports) != 1 {
		t.Fatalf("%d reports, want one", len(reports))
	}

	if got := len(w.fake.Requests()); got > doctor.MostRequests {
		t.Errorf("%d requests, and %d is the most", got, doctor.MostRequests)
	}

	return reports[0]
}

// want holds checks against "name: verdict: value"; a value that ends in … is a beginning.
func want(t *testing.T, r doctor.Report, lines ...string) {
	t.Helper()

	for _, line := range lines {
		parts := strings.SplitN(line, ": ", 3)

		i := slices.IndexFunc(r.Checks, func(c doctor.Check) bool { return c.Name == parts[0] })
		if i < 0 {
			t.Errorf("there is no check %s\n%s", parts[0], doctor.Paste("", []doctor.Report{r}))

			continue
		}

		c := r.Checks[i]
		value, isBeginning := strings.CutSuffix(parts[2], "…")

		if string(c.Verdict) != parts[1] || c.Value != value && (!isBeginning || !strings.HasPrefix(c.Value, value)) {
			t.Errorf("%s: %s: %s, want %s\n%s", c.Name, c.Verdict, c.Value, line, c.Detail)
		}
	}
}

func month() fakeapi.Options { return fakeapi.Options{Entries: 2000, NoExamples: true, Seed: 1} }

func TestUpCloud(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		set  func(*fakeapi.Options)
		code int
		want []string
	}{
		"as most sources say": {func(*fakeapi.Options) {}, 0, []string{
			"endpoint: note: other, no TLS", "credentials: ok: accepted", "account: ok: named", "total_header: ok: present",
			"largest_page: ok: 200", "order: ok: newest first", "offset: ok: rows", "total: ok: equal, nothing behind",
			"repeated_filter: ok: any of them", "filter_options: ok: known", "retention: unknown: 29 of 180 days",
			"export_json: ok: array, newest first", "export_csv: ok: time, auth_type…", "clock: ok: within 1 s",
			"rate_limit_headers: ok: none",
		}},
		"offsets count pages": {func(o *fakeapi.Options) { o.UpCloudOffset = fakeapi.OffsetPage }, 0, []string{
			"offset: ok: pages", "total: ok: equal, nothing behind", "retention: unknown: 29 of 180 days",
		}},
		"oldest first": {func(o *fakeapi.Options) { o.UpCloudOrder = fakeapi.OldestFirst }, 0, []string{
			"order: ok: oldest first", "offset: ok: rows", "retention: unknown: 29 of 180 days",
			"export_json: ok: array, oldest first",
		}},
		"pages, oldest first": {func(o *fakeapi.Options) {
			o.UpCloudOffset, o.UpCloudOrder = fakeapi.OffsetPage, fakeapi.OldestFirst
		}, 0, []string{"order: ok: oldest first", "offset: ok: pages"}},
		"a page of 100": {func(o *fakeapi.Options) { o.UpCloudMaxLimit = 100 }, 0, []string{
			"largest_page: note: 100", "offset: ok: rows", "total: ok: equal, nothing behind",
		}},
		"a page of 50, offsets count pages": {func(o *fakeapi.Options) {
			o.UpCloudMaxLimit, o.UpCloudOffset = 50, fakeapi.OffsetPage
		}, 0, []string{"largest_page: note: 50", "offset: ok: pages", "total: ok: equal, nothing behind"}},
		"a log as long as the retention": {func(o *fakeapi.Options) { o.Span = 180 * 24 * time.Hour }, 0, []string{
			"retention: ok: 179 of 180 days",
		}},
		"a log longer than the retention": {func(o *fakeapi.Options) { o.Span = 400 * 24 * time.Hour }, 0, []string{
			"retention: note: 399 of 180 days",
		}},
		"an empty log": {func(o *fakeapi.Options) { o.Entries = 0 }, 0, []string{
			"total_header: ok: present", "largest_page: unknown: at least 0", "order: unknown: unclear",
			"offset: unknown: too few events", "total: unknown: not counted", "repeated_filter: unknown: too few actions",
			"retention: unknown: no events", "export_json: unknown: array, no event", "export_csv: ok: time…",
		}},
		"a few events": {func(o *fakeapi.Options) { o.Entries = 20 }, 0, []string{
			"largest_page: unknown: at least 19", "offset: ok: rows", "total: ok: equal, nothing behind",
		}},
		"the account is not shown": {func(o *fakeapi.Options) { o.AccountForbidden = true }, 0, []string{
			"account: note: not shown",
		}},
		"another token": {func(o *fakeapi.Options) { o.Token = "another-token-than-ours" }, 1, []string{
			"credentials: problem: credentials, status 401, INVALID_CREDENTIALS",
		}},
		"no Date":              {func(o *fakeapi.Options) { o.NoDate = true }, 0, []string{"clock: note: no Date"}},
		"a clock ahead":        {func(o *fakeapi.Options) { o.ClockSkew = time.Hour }, 1, []string{"clock: problem: +3600 s"}},
		"a clock behind":       {func(o *fakeapi.Options) { o.ClockSkew = -time.Hour }, 1, []string{"clock: problem: -3600 s"}},
		"a clock some way off": {func(o *fakeapi.Options) { o.ClockSkew = 30 * time.Second }, 0, []string{"clock: ok: within 31 s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			o := month()
			tc.set(&o)

			r := serve(t, o, nil).examine(t, auditlog.ServiceUpCloud)
			want(t, r, tc.want...)

			if code := doctor.ExitCode([]doctor.Report{r}); code != tc.code {
				t.Errorf("exit code %d, want %d\n%s", code, tc.code, doctor.Paste("", []doctor.Report{r}))
			}
		})
	}
}

func TestCloudscale(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		set  func(*fakeapi.Options)
		code int
		want []string
	}{
		"an end holds on every page": {func(*fakeapi.Options) {}, 0, []string{
			"endpoint: note: other, no TLS", "credentials: ok: accepted", "account: ok: named", "largest_page: ok: 200",
			"order: ok: oldest first…", "next: ok: absolute", "end_behind_cursor: ok: every page", "start: ok: holds",
			"poll_more: ok: present", "retention: unknown: 29 of 90 days", "clock: ok: within 1 s",
			"rate_limit_headers: ok: none",
		}},
		"an end holds on the first page": {func(o *fakeapi.Options) { o.CloudscaleEnd = fakeapi.EndFirstPage }, 0, []string{
			"end_behind_cursor: ok: first page only",
		}},
		"pages of 50": {func(o *fakeapi.Options) { o.CloudscalePageSize = 50 }, 0, []string{"largest_page: note: 50"}},
		"one page": {func(o *fakeapi.Options) { o.Entries = 150 }, 0, []string{
			"largest_page: unknown: at least 150", "next: unknown: one page", "end_behind_cursor: unknown: one page",
			"poll_more: ok: present",
		}},
		"an empty log": {func(o *fakeapi.Options) { o.Entries = 0 }, 0, []string{
			"account: note: not shown", "order: unknown: unclear", "retention: unknown: no records", "poll_more: ok: present",
		}},
		"as long as the retention": {func(o *fakeapi.Options) { o.Span = 90 * 24 * time.Hour }, 0, []string{
			"retention: ok: 89 of 90 days",
		}},
		"another token": {func(o *fakeapi.Options) { o.Token = "another-token-than-ours" }, 1, []string{
			"credentials: problem: credentials, status 401",
		}},
		"a clock ahead": {func(o *fakeapi.Options) { o.ClockSkew = time.Hour }, 1, []string{"clock: problem: +3600 s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			o := month()
			tc.set(&o)

			r := serve(t, o, nil).examine(t, auditlog.ServiceCloudscale)
			want(t, r, tc.want...)

			if code := doctor.ExitCode([]doctor.Report{r}); code != tc.code {
				t.Errorf("exit code %d, want %d\n%s", code, tc.code, doctor.Paste("", []doctor.Report{r}))
			}
		})
	}
}

// TestPasteHasNothingPersonal: whatever a log, a service or the environment says.
func TestPasteHasNothingPersonal(t *testing.T) {
	t.Parallel()

	w := serve(t, fakeapi.Options{Entries: 600, Account: "maria.private"}, nil)
	reports := w.run(t.Context(), source.Log{}, source.Config{})

	text, err := json.Marshal(reports)
	if err != nil {
		t.Fatal(err)
	}

	shown := string(text) + doctor.Paste("about", reports)
	for _, r := range reports {
		if r.Account == "" || strings.Contains(shown, r.Account) || r.Endpoint == "" || strings.Contains(shown, r.Endpoint) {
			t.Errorf("it shows %q or %q, or does not know them", r.Account, r.Endpoint)
		}
	}

	if len(reports) != 2 || len(w.fake.Requests()) > doctor.MostRequests {
		t.Errorf("%d reports, %d requests", len(reports), len(w.fake.Requests()))
	}

	for _, secret := range []string{"127.0.0.1", fakeapi.DefaultToken, "@", "example"} {
		if strings.Contains(shown, secret) {
			t.Errorf("it shows %q:\n%s", secret, shown)
		}
	}
}

// TestNamesOfPeople: a service that makes names of what its log has of people gets none of them shown.
func TestNamesOfPeople(t *testing.T) {
	t.Parallel()

	const export = "/1.3/audit-logs/export"

	w := serve(t, fakeapi.Options{Entries: 600, NoExamples: true, Account: "maria.private"}, before(
		func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-RateLimit-Maria-Private", "1")
			w.Header().Set("X-RateLimit-Left", "1")

			switch {
			case strings.HasSuffix(r.URL.Path, "filter-options"):
				return write(w, "application/json", `{"actions":["maria_private","rebalance"],"origins":[],"resource_types":[]}`)
			case r.URL.Path == export && r.URL.Query().Get("format") == "csv":
				return write(w, "text/maria.private", "time,action,origin,Maria-Private,upcloud_correlation_id,shard\n")
			default:
				return false
			}
		}))

	r := w.examine(t, auditlog.ServiceUpCloud)
	want(t, r, "rate_limit_headers: note: x-ratelimit-left, and 1 other",
		"export_csv: ok: time, action, origin, upcloud_correlation_id, shard, and 1 other (another type)")

	text, err := json.Marshal([]doctor.Report{r})
	if err != nil {
		t.Fatal(err)
	}

	shown := strings.ToLower(string(text) + doctor.Paste("about", []doctor.Report{r}))
	if strings.Contains(shown, "maria") || !strings.Contains(shown, "rebalance") {
		t.Errorf("it shows a name, or not what it may:\n%s", shown)
	}
}

// TestRetentionOfNonsense gives no advice that follows from a time at which there was no log.
func TestRetentionOfNonsense(t *testing.T) {
	t.Parallel()

	for _, at := range []string{"0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
		w := serve(t, month(), before(func(w http.ResponseWriter, _ *http.Request) bool {
			return write(w, "application/json", `{"results":[{"timestamp":"`+at+`","action":"server_create"}],"next":null,"poll_more":null}`)
		}))

		want(t, w.examine(t, auditlog.ServiceCloudscale), "retention: unknown: no plausible time")
	}
}

// TestEveryCloudHasAnExamination of its own, and none is examined as another one: it would be asked for what it does
// not have.
func TestEveryCloudHasAnExamination(t *testing.T) {
	t.Parallel()

	for _, name := range auditlog.Clouds() {
		if byFiles := name == auditlog.ServicePodStack; doctor.Examines(name) == byFiles {
			t.Errorf("%s: %t", name, !byFiles)
		}
	}

	if doctor.Examines("stratus") {
		t.Error("a cloud that nobody knows is examined as another one")
	}
}
