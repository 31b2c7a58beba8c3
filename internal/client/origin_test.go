// SPDX-License-Identifier: MPL-2.0

package client_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/client"
)

func TestOrigin(t *testing.T) {
	t.Parallel()

	for endpoint, want := range map[string]string{
		"https://api.upcloud.com":            "https://api.upcloud.com",
		"HTTPS://API.UpCloud.com:443/":       "https://api.upcloud.com",
		"https://api.cloudscale.ch/v1":       "https://api.cloudscale.ch",
		"https://proxy.example.com:8443/a/b": "https://proxy.example.com:8443",
		"http://127.0.0.1:80":                "http://127.0.0.1",
		"http://127.0.0.1:443":               "http://127.0.0.1:443",
		"http://[::1]:8080":                  "http://[::1]:8080",
		"http://localhost:":                  "http://localhost",
	} {
		if got := client.New(options(t, endpoint)).Origin(); got != want {
			t.Errorf("%s: got %s, want %s", endpoint, got, want)
		}
	}
}

// TestOnce: what may fail is not worth waiting for.
func TestOnce(t *testing.T) {
	t.Parallel()

	for name, answer := range map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"body":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{")) },
		"reset":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		s, count := serve(t, answer)

		err := client.New(options(t, s.URL)).Get(client.Once(t.Context()), "v1/x", nil,
			func(body []byte, _ func(string) string) error {
				var v any

				return json.Unmarshal(body, &v)
			})
		if err == nil || count.Load() != 1 {
			t.Errorf("%s: %v after %d requests", name, err, count.Load())
		}
	}
}
