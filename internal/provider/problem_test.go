// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// TestAccBadInput: what users get wrong, and the whole text of what they get.
func TestAccBadInput(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 5})
	w.write("file", "")

	locked := w.file("locked")
	if err := os.Mkdir(locked, 0o500); err != nil {
		t.Fatal(err)
	}

	if os.Geteuid() == 0 {
		locked = "/sys" // Not even root may write there.
	}

	look := func(arguments string) string {
		return w.config("data \"audit_logs\" \"test\" {\n" + arguments + "\n}")
	}

	alone := func(config, look string) string { return config + "\ndata \"audit_logs\" \"test\" {" + look + "}\n" }

	for name, tt := range map[string]struct{ config, summary, detail string }{
		"two kinds of credentials": {
			alone(`provider "audit" {
  upcloud = {
    token    = "a"
    username = "b"
    password = "c"
  }
}`, ""), "Configure the audit provider", `
Two kinds of credentials are given for UpCloud, and they may belong to different accounts.
Service: upcloud
Give either token, or username and password.`,
		},
		"no credentials": {
			alone(`provider "audit" {
  upcloud = {}
}`, ""), "Look up audit logs", `
No credentials are configured for UpCloud.
Service: upcloud
Set UPCLOUD_TOKEN, or UPCLOUD_USERNAME and UPCLOUD_PASSWORD, for an account with API access.`,
		},
		"half a login": {
			alone(`provider "audit" {
  upcloud = { username = "b" }
}`, ""), "Look up audit logs", `
There is a user name for UpCloud, but no password.
Service: upcloud
Set password in the provider's upcloud block, or UPCLOUD_PASSWORD.`,
		},
		"nothing configured": {
			alone("", ""), "Look up audit logs", `
No service is configured.
Set UPCLOUD_TOKEN or CLOUDSCALE_API_TOKEN, or configure a service in the provider block.`,
		},
		"another service configured": {
			alone(`provider "audit" {
  upcloud = { token = "x" }
}`, ` service = "cloudscale" `), "Look up audit logs", `
cloudscale is not configured.
Service: cloudscale
Set CLOUDSCALE_API_TOKEN to a token of the project; read access is enough.`,
		},
		"which service": {look(""), "Look up audit logs", `
More than one service is configured, so which one to read has to be said.
Services: cloudscale, upcloud
Set service to one of them.`},
		"unknown service": {look(`service = "aws"`), "Check the configuration", `
The value of service cannot be used: it is unknown.
Give one of archive, cloudscale, podstack, upcloud.`},
		"last and start": {look("service = \"upcloud\"\nlast = \"1d\"\nstart = \"2026-01-01T00:00:00Z\""), "Check the query", `
The window is given twice: by last and by start or end.
Give either last, or start and end.`},
		"start after end": {look("service = \"upcloud\"\nend = \"2026-01-01T00:00:00Z\"\nstart = \"2026-01-02T00:00:00Z\""), "Check the query", `
The window ends before it begins.
start: 2026-01-02T00:00:00Z
end: 2026-01-01T00:00:00Z
Let start be before end; the window includes start and excludes end.`},
		"start is end": {look("service = \"upcloud\"\nend = \"2026-01-01T00:00:00Z\"\nstart = \"2026-01-01T01:00:00+01:00\""), "Check the query", `
The window is empty: start and end are the same to the microsecond, and end is not part of it.
start: 2026-01-01T01:00:00+01:00
end: 2026-01-01T00:00:00Z
Let start be before end; the window includes start and excludes end.`},
		"shorter than a microsecond": {look("service = \"upcloud\"\nstart = \"2026-01-01T00:00:00.0000001Z\"\nend = \"2026-01-01T00:00:00.0000009Z\""), "Check the query", `
The window is empty: start and end are the same to the microsecond, and end is not part of it.
start: 2026-01-01T00:00:00.0000001Z
end: 2026-01-01T00:00:00.0000009Z
Let start be before end; the window includes start and excludes end.`},
		"a start that stands for none": {look("service = \"upcloud\"\nstart = \"0001-01-01T00:00:00Z\""), "Check the configuration", `
The value of start cannot be used: it is before any audit log.
Give a time as in RFC 3339, such as "2026-01-31T00:00:00Z".`},
		"an address with a zone": {look("service = \"upcloud\"\nip_addresses = [\"fe80::1%eth0\"]"), "Check the configuration", `
The value of ip_addresses[0] cannot be used: it is an address with a zone, and addresses are compared without.
Give an address or a CIDR block, such as "203.0.113.7" or "2001:db8::/32".`},
		"start in the future": {look("service = \"upcloud\"\nstart = \"2027-01-02T00:00:00Z\""), "Look up audit logs", `
The window is empty: it begins when it has already ended, or in the future.
start: 2027-01-02T00:00:00Z
settle_delay: 0s
Now: 2026-06-30T12:00:00.000000Z
Let start lie further back.`},
		"start has not settled": {look("service = \"upcloud\"\nstart = \"2026-06-30T11:59:30Z\"\nsettle_delay = \"1m\""), "Look up audit logs", `
The window is empty: it begins when it has already ended, or in the future.
start: 2026-06-30T11:59:30Z
settle_delay: 1m0s
Now: 2026-06-30T12:00:00.000000Z
Let start lie further back, or lower settle_delay.`},
		"a month": {look("service = \"upcloud\"\nlast = \"1 month\""), "Check the configuration", `
The value of last cannot be used: it is no length of time.
Give a whole number and one of s, m, h, d or w, such as "30m", "24h", "7d" or "2w".`},
		"not a time": {look("service = \"upcloud\"\nstart = \"yesterday\""), "Check the configuration", `
The value of start cannot be used: it is not a time as in RFC 3339.
Give a time as in RFC 3339, such as "2026-01-31T00:00:00Z".`},
		"not an address": {look("service = \"upcloud\"\nip_addresses = [\"192.0.2.1\", \"localhost\"]"), "Check the configuration", `
The value of ip_addresses[1] cannot be used: it is neither an IP address nor a CIDR block.
Give an address or a CIDR block, such as "203.0.113.7" or "2001:db8::/32".`},
		"an empty list": {look("service = \"upcloud\"\nactions = []"), "Check the configuration", `
The list actions is empty, which could mean everything as well as nothing.
Leave the argument out (or set it to null) to read everything, or give at least one value.`},
		"a null in a list": {look("service = \"upcloud\"\nactors = [null]"), "Check the configuration", `
The value of actors[0] is null.
Remove it from the list, for example with compact().`},
		"an empty value": {look("service = \"upcloud\"\nactors = [\"\"]"), "Check the configuration", `
The value of actors[0] cannot be used: it is empty.
Give a value of at least one character, or leave the argument out.`},
		"unknown operation": {look("service = \"upcloud\"\noperations = [\"remove\"]"), "Check the configuration", `
The value of operations[0] cannot be used: it is unknown (did you mean delete?).
Give one of create, …`},
		"a field never recorded": {look("service = \"cloudscale\"\norigins = [\"api\"]"), "Check the query", `
cloudscale never records origin, so the filter would find nothing, whatever happened.
Service: cloudscale
Remove the argument for this service.`},
		"too many rows": {look("service = \"upcloud\"\nmax_entries = 10001"), "Check the configuration", `
The value of max_entries is out of range.
Give a whole number from 1 to 10000.`},
		"plain http": {alone(`provider "audit" {
  upcloud = {
    token    = "x"
    endpoint = "http://api.example.com"
  }
}`, ""), "Check the configuration", `
The value of upcloud.endpoint cannot be used: it is plain http to another machine, which would send the credential in the clear.
Give the root of the API, such as "https://api.example.com"; plain http is only for this machine itself.`},
		"a line break in a token": {alone(`provider "audit" {
  upcloud = { token = "x\n" }
}`, ""), "Look up audit logs", `
The credentials for UpCloud hold a line break or another control character.
Service: upcloud
Remove it; a file read with file() often ends in a line break, which trimspace() removes.`},
		"waits upside down": {alone(`provider "audit" {
  upcloud        = { token = "x" }
  retry_wait_min = "2m"
}`, ""), "Configure the audit provider", `
The first wait between two tries is longer than the longest.
retry_wait_min: 2m0s
retry_wait_max: 30s
Lower retry_wait_min or raise retry_wait_max.`},
		"a directory": {w.export(".", "csv", month), "Export audit logs", `
The path is a directory.
Path: ` + w.file(".") + `
Give the path of a file, such as "evidence/audit.ndjson".`},
		"a file as directory": {w.export("file/a.csv", "csv", month), "Export audit logs", `
A part of the path is a file where a directory would have to be.
Path: ` + w.file("file") + `
Choose another path.`},
		"an unwritable directory": {strings.ReplaceAll(w.export("locked/a.csv", "csv", month), w.file("locked"), locked), "Export audit logs", `
The directory cannot be written to: permission denied.
Directory: ` + locked + `
Choose another path, or change the directory's permissions.`},
		"unknown format": {w.export("a.xlsx", "xlsx", month), "Check the configuration", `
The value of format cannot be used: it is unknown.
Give one of csv, json, ndjson, parquet, html.`},
		"unknown column": {w.export("a.csv", "csv", month+`columns = ["id", "user"]`), "Check the configuration", `
The value of columns[1] cannot be used: it is unknown.
Give one of id, …`},
		"a column twice": {w.export("a.csv", "csv", month+`columns = ["id", "id"]`), "Check the configuration", `
A column is named twice.
Remove one of the two.`},
		"a permission": {w.export("a.csv", "csv", month+`file_permission = "0444"`), "Check the configuration", `
The value of file_permission cannot be used: it is no such permission.
Give an octal permission that lets the owner use it, such as "0600".`},
		"an export without credentials": {`provider "audit" {
  upcloud = {}
}
resource "audit_log_export" "test" {
  path   = "` + w.file("a.csv") + `"
  format = "csv"
}`, "Export audit logs", `
No credentials are configured for UpCloud.
Service: upcloud
Set UPCLOUD_TOKEN, or UPCLOUD_USERNAME and UPCLOUD_PASSWORD, for an account with API access.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if name == "an unwritable directory" && runtime.GOOS == "windows" {
				t.Skip("Windows has no such permission on directories")
			}

			// PlanOnly: every one of them is known when planning.
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: w.factories(),
				Steps: []resource.TestStep{
					{Config: tt.config, PlanOnly: true, ExpectError: diagnostic(tt.summary, tt.detail)},
				},
			})
		})
	}
}

// TestAccServiceErrors: what goes wrong between us and a service, and the whole
// text of what users get.
func TestAccServiceErrors(t *testing.T) {
	t.Parallel()

	answer := func(status int, contentType, body string, headers ...string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", contentType)

			for i := 0; i < len(headers); i += 2 {
				rw.Header().Set(headers[i], headers[i+1])
			}

			rw.WriteHeader(status)
			_, _ = fmt.Fprint(rw, body)
		}
	}

	const window = "Page: 1 Window: [2026-06-29T12:00:00.000000Z, 2026-06-30T12:00:00.000000Z)"

	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		detail  string
	}{
		"401": {answer(401, "application/problem+json; charset=utf-8", `{"type":"https://developers.upcloud.com/1.3/errors#ERROR_AUTHENTICATION_FAILED","title":"Authentication failed.","correlation_id":"01J","status":401}`), `
The service rejected the credentials.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 401 Unauthorized
Code: AUTHENTICATION_FAILED
Message: Authentication failed.
Correlation: 01J
` + window + `
Set token in the provider's upcloud block, for an account with API access.`},
		"403": {answer(403, "application/json", `{"error":{"error_code":"FORBIDDEN","error_message":"Access denied."}}`), `
The credentials are valid but may not read the audit log.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 403 Forbidden
Code: FORBIDDEN
Message: Access denied.
` + window + `
Use credentials with access to the audit log; some services reserve it for the main account.`},
		"404": {answer(404, "text/plain", "404 page not found"), `
The service knows no audit log at this address.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 404 Not Found
Message: the answer is text/plain, not JSON
` + window + `
Check the endpoint in the provider configuration: it is the root of the API, without a version.`},
		"422": {answer(422, "application/problem+json", `{"type":"x#ERROR_INVALID_REQUEST","title":"Validation error.","status":422,"invalid_params":[{"name":"limit","reason":"Too large."}]}`), `
The service does not accept the request.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 422 Unprocessable Content
Code: INVALID_REQUEST
Message: Validation error.
Parameter limit: Too large.
` + window + `
Change the arguments that the service names; if it names none, remove filters one by one.`},
		"429 for ever": {answer(429, "application/json", `{}`, "Retry-After", "3600"), `
The service kept asking to slow down.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 429 Too Many Requests
Retry-After: 1h0m0s
Attempts: 5
` + window + `
Try again later, or raise max_retries and retry_wait_max in the provider configuration.`},
		"500 for ever": {answer(500, "application/json", `{"detail":"Oops."}`), `
The service kept failing.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 500 Internal Server Error
Message: Oops.
Attempts: 5
` + window + `
Try again later; raise max_retries in the provider configuration if this happens often.`},
		"a redirect": {answer(302, "text/html", "", "Location", "https://login.example.com/?next=x"), `
The service redirected to https://login.example.com:443.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 302 Found
` + window + `
Check the endpoint in the provider configuration, and that no proxy asks for a login.`},
		"a login page": {answer(200, "text/html", "<!doctype html><title>Log in</title>"), `
The answer is a page for people, not JSON.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 200 OK
` + window + `
Check the endpoint in the provider configuration, and that no proxy or login page answers in its place.`},
		"an empty body": {answer(200, "application/json", ""), `
The service's answer cannot be used: it is empty.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 200 OK
Attempts: 5
` + window + `
Try again; a part of an answer is never used.`},
		"another shape": {answer(200, "application/json", `{"status":"ok"}`, "UpCloud-Total-Count", "0"), `
The service's answer is not what its documentation describes: audit_logs is missing.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 200 OK
` + window + `
Check the endpoint; if it is right, the service has changed and this program needs an update.`},
		"a bad timestamp": {answer(200, "application/json", `{"audit_logs":[{"cloud_event_id":"01HQXYZ123456789ABCDEFGHJK","action":"x","time":"noon","account_username":"jane.doe"}]}`, "UpCloud-Total-Count", "1"), `
The service's answer is not what its documentation describes: the time of an event is not RFC 3339.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 200 OK
` + window + `
Check the endpoint; if it is right, the service has changed and this program needs an update.`},
		"no total": {answer(200, "application/json", `{"audit_logs":[]}`), `
The service's answer is not what its documentation describes: the answer has no usable UpCloud-Total-Count header, so nothing would prove it complete.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
Status: 200 OK
` + window + `
Check the endpoint; if it is right, the service has changed and this program needs an update.`},
		"a short list": {answer(200, "application/json", `{"audit_logs":[]}`, "UpCloud-Total-Count", "7"), `
The service's pages do not add up, also not at the second reading: two readings brought 0 different events, and the service counts 7.
Service: upcloud
Endpoint: http…
Request: GET /1.3/audit-logs
` + window + `
Try again, or end the window a few minutes earlier with settle_delay, so that the log has settled.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{})
			w.upcloud = w.serve(tt.handler)
			w.test(resource.TestStep{
				Config:      w.config(`data "audit_logs" "test" { service = "upcloud" }`),
				ExpectError: diagnostic("Read UpCloud audit logs", tt.detail),
			})
		})
	}
}

func TestAccConnectionErrors(t *testing.T) {
	t.Parallel()

	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()

	// Another test's server could get the port, but not at this address, which only Linux has.
	if runtime.GOOS == "linux" {
		closed.URL = strings.Replace(closed.URL, "127.0.0.1", "127.0.0.2", 1)
	}

	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)

	for name, tt := range map[string]struct{ endpoint, detail string }{
		"refused": {closed.URL, `
The service cannot be reached: dial tcp ` + strings.TrimPrefix(closed.URL, "http://") + `: connect: connection refused.
Service: cloudscale
Endpoint: http…
Request: GET /v1/project-logs
Attempts: 5 …
Check the endpoint, the network and any proxy between them.`},
		"untrusted": {untrusted.URL, `
The connection is not trusted: tls: failed to verify certificate: x509: certificate signed by unknown authority.
Service: cloudscale
Endpoint: http…
Request: GET /v1/project-logs …
Check the endpoint, the machine's certificate authorities and any proxy between them.`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{})
			w.cloudscale = tt.endpoint
			w.test(resource.TestStep{
				Config:      w.config(`data "audit_logs" "test" { service = "cloudscale" }`),
				ExpectError: diagnostic("Read cloudscale audit logs", tt.detail),
			})
		})
	}
}

// TestAccErrorsShowNoSecret: Terraform prints the lines of a configuration that a
// diagnostic points at, so none may point at what holds a secret.
func TestAccErrorsShowNoSecret(t *testing.T) {
	t.Parallel()

	for name, config := range map[string]string{
		"two kinds of credentials": `upcloud = {
    token    = "SECRET-a"
    username = "b"
    password = "SECRET-c"
  }`,
		"line break": `upcloud = { token = "SECRET\nb" }`,
		"endpoint": `cloudscale = {
    token    = "SECRET"
    endpoint = "ftp://example.com"
  }`,
		"retention": `upcloud = {
    token     = "SECRET"
    retention = "x"
  }`,
		"redaction key": `redaction_key = "SECRET"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{})
			failed := false

			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: w.factories(),
				Steps: []resource.TestStep{
					{Config: "provider \"audit\" {\n  " + config + "\n}\ndata \"audit_logs\" \"test\" {}\n"},
				},
				ErrorCheck: func(err error) error {
					if failed = true; strings.Contains(err.Error(), "SECRET") {
						return err
					}

					return nil
				},
			})

			if !failed {
				t.Error("nothing was wrong")
			}
		})
	}
}
