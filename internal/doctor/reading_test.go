// SPDX-License-Identifier: MPL-2.0

package doctor_test

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/doctor"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// before answers requests in the place of a fake, where it returns true.
func before(answer func(http.ResponseWriter, *http.Request) bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", fakeapi.DefaultNow().Format(http.TimeFormat))

			if !answer(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// refuse answers with an error of one parameter.
func refuse(w http.ResponseWriter, name string) bool {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, `{"type":"x#ERROR_INVALID_REQUEST","title":"Validation error.","status":400,`+
		`"invalid_params":[{"name":"`+name+`","reason":"No."}]}`)

	return true
}

func write(w http.ResponseWriter, contentType, text string) bool {
	w.Header().Set("Content-Type", contentType)
	_, _ = io.WriteString(w, text)

	return true
}

// TestOtherReadings has what the fakes cannot be told to do and a service might.
func TestOtherReadings(t *testing.T) {
	t.Parallel()

	const export = "/1.3/audit-logs/export"

	for name, tc := range map[string]struct {
		service string
		answer  func(http.ResponseWriter, *http.Request) bool
		code    int
		want    []string
	}{
		"a page of 200 is refused": {auditlog.ServiceUpCloud, func(w http.ResponseWriter, r *http.Request) bool {
			limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))

			return limit > 100 && refuse(w, "limit")
		}, 1, []string{"largest_page: problem: 200 refused", "offset: ok: rows", "total: ok: equal, nothing behind"}},
		"three years ago is refused": {auditlog.ServiceUpCloud, func(w http.ResponseWriter, r *http.Request) bool {
			at, err := time.Parse(time.RFC3339, r.URL.Query().Get("created_after"))

			return err == nil && fakeapi.DefaultNow().Sub(at) > 200*24*time.Hour && refuse(w, "created_after")
		}, 0, []string{"largest_page: ok: 200", "retention: unknown: 29 of 180 days, older refused"}},
		"only the last of several counts": {auditlog.ServiceUpCloud, func(_ http.ResponseWriter, r *http.Request) bool {
			if q := r.URL.Query(); len(q["actions"]) > 1 {
				q["actions"] = q["actions"][1:]
				r.URL.RawQuery = q.Encode()
			}

			return false
		}, 1, []string{"repeated_filter: problem: narrower"}},
		"several values are ignored": {auditlog.ServiceUpCloud, func(_ http.ResponseWriter, r *http.Request) bool {
			if q := r.URL.Query(); len(q["actions"]) > 1 {
				q.Del("actions")
				r.URL.RawQuery = q.Encode()
			}

			return false
		}, 0, []string{"repeated_filter: note: wider"}},
		"filters are ignored": {auditlog.ServiceUpCloud, func(_ http.ResponseWriter, r *http.Request) bool {
			q := r.URL.Query()
			q.Del("actions")
			r.URL.RawQuery = q.Encode()

			return false
		}, 0, []string{"repeated_filter: note: ignored"}},
		"nothing is behind the last page": {auditlog.ServiceUpCloud, func(w http.ResponseWriter, r *http.Request) bool {
			q := r.URL.Query()

			return q.Get("limit") == "200" && q.Get("offset") != "0" && refuse(w, "offset")
		}, 0, []string{"total: ok: equal, nothing behind (refused)"}},
		"the list of actions lacks some": {auditlog.ServiceUpCloud, func(w http.ResponseWriter, r *http.Request) bool {
			switch r.URL.Path {
			case "/1.3/audit-logs/filter-options":
				return write(w, "application/json", `{"actions":["create","teleport"],"origins":["api"],"resource_types":["server"]}`)
			default:
				return false
			}
		}, 0, []string{"filter_options: note: unknown teleport"}},
		"an export with a header of its own": {auditlog.ServiceUpCloud, func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == export && r.URL.Query().Get("format") == "csv" &&
				write(w, "text/csv", "Time,Cloud Event ID,Action,Extra_1,maria@example.com\n")
		}, 0, []string{"export_csv: ok: Time, Action, Extra_1, and 2 others (text/csv)"}},
		"an export without a header": {auditlog.ServiceUpCloud, func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == export && r.URL.Query().Get("format") == "csv" &&
				write(w, "text/csv", "2026-06-01T00:00:00Z,action,origin,time,maria,server,delete,api,x,y,z\n")
		}, 0, []string{"export_csv: note: no header, 11 columns"}},
		"an export that is an object": {auditlog.ServiceUpCloud, func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == export && r.URL.Query().Get("format") == "json" &&
				write(w, "application/json", `{"audit_logs":[]}`)
		}, 0, []string{"export_json: note: no array"}},
		"an export that may not be read": {auditlog.ServiceUpCloud, func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == export {
				w.WriteHeader(http.StatusForbidden)
			}

			return r.URL.Path == export
		}, 0, []string{"export_json: note: forbidden, status 403", "export_csv: note: forbidden, status 403"}},
		"the log may not be read": {auditlog.ServiceUpCloud, func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)

			return true
		}, 1, []string{"credentials: problem: forbidden, status 403"}},
		"another API": {auditlog.ServiceCloudscale, func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusNotFound)

			return true
		}, 1, []string{"endpoint: problem: not found, status 404"}},
		"headers tell a rate limit": {auditlog.ServiceCloudscale, func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("X-RateLimit-Remaining", "7")
			w.Header().Set("RateLimit-Policy", "maria")

			return false
		}, 0, []string{"rate_limit_headers: note: ratelimit-policy, x-ratelimit-remaining"}},
		"no link to what comes later": {auditlog.ServiceCloudscale, func(w http.ResponseWriter, r *http.Request) bool {
			q := r.URL.Query()

			return q.Has("start") && !q.Has("end") && write(w, "application/json", `{"next":null,"poll_more":null,"results":[]}`)
		}, 0, []string{"poll_more: note: absent"}},
		"newest first": {auditlog.ServiceCloudscale, func(w http.ResponseWriter, r *http.Request) bool {
			row := func(minute string) string {
				return `{"action":"server_create","message":"","timestamp":"2026-06-01T00:` + minute + `:00Z","actor":{"system":{}},"ip_address":null}`
			}

			return r.URL.RawQuery == "" &&
				write(w, "application/json", `{"next":null,"poll_more":"/v1/x","results":[`+row("05")+","+row("01")+`]}`)
		}, 1, []string{"order: problem: newest first"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := serve(t, month(), before(tc.answer)).examine(t, tc.service)
			want(t, r, tc.want...)

			if code := doctor.ExitCode([]doctor.Report{r}); code != tc.code {
				t.Errorf("exit code %d, want %d\n%s", code, tc.code, doctor.Paste("", []doctor.Report{r}))
			}

			text, err := json.Marshal(r)
			if err != nil || strings.Contains(string(text), "maria") {
				t.Errorf("%v, or it shows a person: %s", err, text)
			}
		})
	}
}

// totalOf returns the total, whose header is not spelled as Go would.
func totalOf(header http.Header) string {
	for name, values := range header {
		if strings.EqualFold(name, "UpCloud-Total-Count") {
			return values[0]
		}
	}

	return ""
}

// TestActionThatIsNotListed: a look-up by operation asks for the actions that are listed
// or documented.
func TestActionThatIsNotListed(t *testing.T) {
	t.Parallel()

	w := serve(t, month(), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/audit-logs") {
				next.ServeHTTP(w, r)

				return
			}

			r.Header.Del("Accept-Encoding")

			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			w.Header().Set("Date", fakeapi.DefaultNow().Format(http.TimeFormat))
			w.Header().Set("UpCloud-Total-Count", totalOf(answer.Header()))
			write(w, "application/json", strings.ReplaceAll(answer.Body.String(), `"action":"start"`, `"action":"teleport"`))
		})
	})

	want(t, w.examine(t, auditlog.ServiceUpCloud), "filter_options: problem: lacks teleport")
}

// TestTLS: the version is told, and a certificate that nobody trusts is a problem.
func TestTLS(t *testing.T) {
	t.Parallel()

	w := serve(t, month(), nil)
	s := httptest.NewUnstartedServer(w.fake.UpCloud())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)

	w.env["UPCLOUD_DEBUG_API_BASE_URL"] = s.URL
	r := w.examine(t, auditlog.ServiceUpCloud)
	want(t, r, "endpoint: problem: tls")

	if code := doctor.ExitCode([]doctor.Report{r}); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}

// TestNothingToExamine: nothing is known then, which is neither good nor bad.
func TestNothingToExamine(t *testing.T) {
	t.Parallel()

	gone := serve(t, fakeapi.Options{}, nil)
	gone.env["CLOUDSCALE_API_URL"] = "http://127.0.0.1:1"

	both := serve(t, fakeapi.Options{}, nil)
	both.env["UPCLOUD_USERNAME"], both.env["UPCLOUD_PASSWORD"] = "u", "p"

	for name, tc := range map[string]struct {
		w    *world
		log  source.Log
		want []string
	}{
		"no service":      {&world{}, source.Log{}, []string{"configuration: unknown: not usable"}},
		"no credentials":  {&world{}, source.Log{Service: "upcloud"}, []string{"configuration: unknown: not usable"}},
		"two credentials": {both, source.Log{Service: "upcloud"}, []string{"configuration: unknown: not usable"}},
		"nobody answers":  {gone, source.Log{Service: "cloudscale"}, []string{"endpoint: unknown: unreachable"}},
		"there is no archive": {
			gone, source.Log{Service: "archive", Destination: t.TempDir()}, []string{"archive: unknown: none"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			reports := tc.w.run(t.Context(), tc.log, source.Config{})
			want(t, reports[0], tc.want...)

			if code := doctor.ExitCode(reports); code != 2 || reports[0].Checks[0].Detail == "" {
				t.Errorf("exit code %d, want 2, and why\n%+v", code, reports)
			}
		})
	}
}
