// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

// world is what one acceptance test runs in: fakes of the clouds, a clock, an
// environment and a directory of its own. Tests share nothing and run in parallel.
type world struct {
	t          *testing.T
	fake       *fakeapi.Server
	upcloud    string
	cloudscale string
	dir        string
	env        map[string]string
	later      atomic.Int64 // how far the clock is ahead of the fake's
}

func newWorld(t *testing.T, o fakeapi.Options) *world {
	t.Helper()

	w := &world{t: t, dir: t.TempDir(), env: map[string]string{}}

	o.RetryAfter = "0"

	if o.Clock == nil {
		o.Clock = w.now // The services' clock moves with ours.
	}

	var err error
	if w.fake, err = fakeapi.New(o); err != nil {
		t.Fatal(err)
	}

	w.upcloud, w.cloudscale = w.serve(w.fake.UpCloud()), w.serve(w.fake.Cloudscale())

	return w
}

// serve serves an API until the test ends and returns where. Its answers are of our
// time unless they say otherwise.
func (w *world) serve(api http.Handler) string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", w.now().UTC().Format(http.TimeFormat))
		api.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(s.Close)

	return s.URL
}

func (w *world) now() time.Time { return w.fake.Now().Add(time.Duration(w.later.Load())) }

func (w *world) factories() map[string]func() (tfprotov6.ProviderServer, error) {
	server := provider.NewServer(provider.Options{
		Version: "test",
		Clock:   w.now,
		LookupEnv: func(name string) (string, bool) {
			value, ok := w.env[name]

			return value, ok
		},
	})

	return map[string]func() (tfprotov6.ProviderServer, error){
		"audit": func() (tfprotov6.ProviderServer, error) { return server(), nil },
	}
}

// config prepends a provider that knows both fakes.
func (w *world) config(body string) string {
	return fmt.Sprintf(`
provider "audit" {
  upcloud        = { token = %[1]q, endpoint = %[2]q }
  cloudscale     = { token = %[1]q, endpoint = %[3]q }
  retry_wait_min = "1ms"
  retry_wait_max = "2ms"
}
`, fakeapi.DefaultToken, w.upcloud, w.cloudscale) + body
}

// file returns a path in the test's own directory.
func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

// read returns what a file holds.
func (w *world) read(name string) string {
	w.t.Helper()

	text, err := os.ReadFile(w.file(name))
	if err != nil {
		w.t.Fatal(err)
	}

	return string(text)
}

func (w *world) write(name, text string) {
	w.t.Helper()

	if err := os.WriteFile(w.file(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// files lists what lies in a directory, hidden files included.
func (w *world) files(dir string) []string {
	w.t.Helper()

	entries, err := os.ReadDir(w.file(dir))
	if err != nil {
		w.t.Fatal(err)
	}

	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}

	slices.Sort(names)

	return names
}

// test runs the steps in parallel to other tests.
func (w *world) test(steps ...resource.TestStep) {
	w.t.Helper()
	resource.Test(w.t, resource.TestCase{ProtoV6ProviderFactories: w.factories(), Steps: steps})
}

var space = regexp.MustCompile(`\s+`)

// diagnostic matches a whole diagnostic as Terraform prints it: it says in
// between where in the configuration, breaks lines where it likes and may put a
// bar before each. Where a word is "…", anything may stand.
func diagnostic(summary, detail string) *regexp.Regexp {
	return regexp.MustCompile(`(?s)Error: ` + words(summary) + `\n.*?\n[\s│]*` + words(detail) + `\s*(\n│?\s*\n|$)`)
}

// keyName is how messages name a public key.
func keyName(public string) string {
	parts := strings.SplitN(public, "+", 3)

	return parts[0] + "+" + parts[1]
}

func words(text string) string {
	list := space.Split(strings.TrimSpace(text), -1)
	for i := range list {
		list[i] = strings.ReplaceAll(regexp.QuoteMeta(list[i]), "…", `.*?`)
	}

	return strings.Join(list, `[\s│]+`)
}
