// SPDX-License-Identifier: MPL-2.0

package cloudscale_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/service/cloudscale"
)

// TestFakeHoldsNothingOfOtherLogs: what the service says is in the logs of organizations and users alone, the fake of a
// project's log does not hold either. Whoever tries a rule against it would learn something wrong.
func TestFakeHoldsNothingOfOtherLogs(t *testing.T) {
	t.Parallel()
	fake, err := fakeapi.New(fakeapi.Options{Entries: 1000, Seed: 1, Clock: fakeapi.DefaultNow, CloudscalePageSize: 2000})
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/project-logs?start=2000-01-01T00%3A00Z", nil)
	request.Header.Set("Authorization", "Bearer "+fakeapi.DefaultToken)
	answer := httptest.NewRecorder()
	fake.Cloudscale().ServeHTTP(answer, request)
	actions := regexp.MustCompile(`"action": ?"([^"]*)"`).FindAllStringSubmatch(answer.Body.String(), -1)
	if len(actions) < 1000 {
		t.Fatalf("only %d records: %s %.200s", len(actions), answer.Result().Status, answer.Body)
	}
	never := cloudscale.Info().NeverOperations
	for _, m := range actions {
		if reason := never[cloudscale.OperationOf(m[1])]; reason != "" || strings.Contains(m[1], "token") {
			t.Fatalf("the fake has %s. %s", m[1], reason)
		}
	}
}
