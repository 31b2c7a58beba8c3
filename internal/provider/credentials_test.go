// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// TestRejectedCredentialsAreNamedWhereTheyCameFrom: what the block says wins over
// the environment, so that changing a variable would not help.
func TestRejectedCredentialsAreNamedWhereTheyCameFrom(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		service string
		block   args
		env     map[string]string
		want    string
	}{
		"a token of the environment": {"upcloud", args{}, map[string]string{"UPCLOUD_TOKEN": "x"}, "Set UPCLOUD_TOKEN, or UPCLOUD_USERNAME and UPCLOUD_PASSWORD, for an account with API access."},
		"a token of the block": {
			"upcloud",
			args{"token": "x"},
			map[string]string{"UPCLOUD_TOKEN": fakeapi.DefaultToken},
			"Set token in the provider's upcloud block, for an account with API access.",
		},
		"a user of the block": {"upcloud", args{"username": "x", "password": "y"}, nil, "Set username and password in the provider's upcloud block, for an account with API access."},
		"a user of both": {
			"upcloud",
			args{"username": "x"},
			map[string]string{"UPCLOUD_PASSWORD": "y"},
			"Set username in the provider's upcloud block and UPCLOUD_PASSWORD, for an account with API access.",
		},
		"a password of the block": {
			"upcloud",
			args{"password": "x"},
			map[string]string{"UPCLOUD_USERNAME": "y"},
			"Set UPCLOUD_USERNAME and password in the provider's upcloud block, for an account with API access.",
		},
		"cloudscale by the environment": {"cloudscale", args{}, map[string]string{"CLOUDSCALE_API_TOKEN": "x"}, "Set CLOUDSCALE_API_TOKEN to a token of the project; read access is enough."},
		"cloudscale by a token of a block": {
			"cloudscale",
			args{"token": "x"},
			map[string]string{"CLOUDSCALE_API_TOKEN": fakeapi.DefaultToken},
			"Set token in the provider's cloudscale block to a token of the project; read access is enough.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{NoExamples: true})
			maps.Copy(w.env, tt.env)

			tt.block["endpoint"] = map[string]string{"upcloud": w.upcloud, "cloudscale": w.cloudscale}[tt.service]
			a := w.provider(t, args{tt.service: tt.block}).read("audit_logs", args{})
			a.fails("The service rejected the credentials.", tt.want)
		})
	}
}

// TestEveryBlockIsRead: what is said of a cloud with an API is how it is asked.
func TestEveryBlockIsRead(t *testing.T) {
	t.Parallel()

	for _, cloud := range auditlog.Clouds() {
		if cloud == auditlog.ServicePodStack {
			continue // It is read from files.
		}

		w := newWorld(t, fakeapi.Options{NoExamples: true})
		endpoint := w.serve(http.NotFoundHandler())

		a := w.provider(t, args{cloud: args{"token": "x", "endpoint": endpoint}}).read("audit_logs", args{"service": cloud})
		a.fails("The service knows no audit log at this address.", "Endpoint: "+endpoint)
	}
}

// TestHalfOfALoginIsNamed, instead of asking for what is there.
func TestHalfOfALoginIsNamed(t *testing.T) {
	t.Parallel()

	const (
		noPassword = "There is a user name for UpCloud, but no password.\n\nService: upcloud\n\nSet password in the provider's upcloud block, or UPCLOUD_PASSWORD."
		noName     = "There is a password for UpCloud, but no user name.\n\nService: upcloud\n\nSet username in the provider's upcloud block, or UPCLOUD_USERNAME."
	)

	for name, tt := range map[string]struct {
		settings, given args
		env             map[string]string
		want            string
	}{
		"a name in the block":     {args{"upcloud": args{"username": "x"}}, args{}, nil, noPassword},
		"a password in the block": {args{"upcloud": args{"password": "x"}}, args{}, nil, noName},
		"beside a token of elsewhere": {
			args{"upcloud": args{"username": "x"}},
			args{},
			map[string]string{"UPCLOUD_TOKEN": "y"},
			noPassword,
		},
		"a name in the environment": {args{}, args{}, map[string]string{"UPCLOUD_USERNAME": "x"}, noPassword},
		"an empty password": {
			args{},
			args{},
			map[string]string{"UPCLOUD_USERNAME": "x", "UPCLOUD_PASSWORD": ""},
			noPassword,
		},
		"named by its service": {
			args{"cloudscale": args{"token": "x"}},
			args{"service": "upcloud"},
			map[string]string{"UPCLOUD_PASSWORD": "x"},
			noName,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(t, fakeapi.Options{NoExamples: true})
			maps.Copy(w.env, tt.env)

			a := w.provider(t, tt.settings).read("audit_logs", tt.given)
			a.fails(tt.want)
		})
	}

	// Half of a login in the environment does not make a service of it.
	w := newWorld(t, fakeapi.Options{NoExamples: true})
	w.env["UPCLOUD_USERNAME"] = "x"

	w.provider(t, args{"cloudscale": args{"token": fakeapi.DefaultToken, "endpoint": w.cloudscale}}).read("audit_logs",
		args{}).quiet()
}
