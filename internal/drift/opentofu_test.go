// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

// ofOpenTofu reads a file that OpenTofu made.
func ofOpenTofu(t *testing.T, name string) *drift.Inventory {
	t.Helper()

	return inventory(t, filepath.Join("opentofu", name))
}

// What OpenTofu prints of the same resources says the same as what Terraform does, but for the registry.
func TestOpenTofu(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"state.json", "state-show.json", "plan.json"} {
		got, want := ofOpenTofu(t, name), inventory(t, name)

		for i, r := range want.Resources {
			provider := strings.Replace(r.Provider, "registry.terraform.io/", "registry.opentofu.org/", 1)
			if provider == r.Provider {
				t.Fatalf("%s: %s is of %s", name, r.Address, r.Provider)
			}

			want.Resources[i].Provider = provider

			// The two plans were not made at the same time.
			if r.Seen != nil {
				at := got.Resources[slices.IndexFunc(got.Resources, func(o drift.Resource) bool { return o.Address == r.Address })]
				r.Seen.At = at.Seen.At
			}
		}

		if diff := gocmp.Diff(sorted(want.Resources), sorted(got.Resources)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}

		if got.Plan != want.Plan || got.Partial || got.Written.IsZero() != want.Written.IsZero() {
			t.Errorf("%s: plan %v, partial %v, written at %v", name, got.Plan, got.Partial, got.Written)
		}
	}
}

// States and plans that OpenTofu encrypted.
func TestEncryptedFiles(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"encrypted-state", "encrypted-plan"} {
		f, err := os.Open(filepath.Join("testdata", "opentofu", name))
		if err != nil {
			t.Fatal(err)
		}

		_, err = drift.Read(f)
		_ = f.Close()

		if input := (*drift.InputError)(nil); !errors.As(err, &input) || input.Fault != drift.Encrypted {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// What Terraform does not have: providers with keys, of which a state says at each instance which one it is of, and
// resources that are switched off.
func TestOnlyInOpenTofu(t *testing.T) {
	t.Parallel()

	addresses := []string{
		`module.region["eu \"west\""].upcloud_router.inside`, `module.region["us"].upcloud_router.inside`,
		`upcloud_router.edge["eu \"west\""]`, `upcloud_router.edge["us"]`, "upcloud_router.whole",
	}

	for _, name := range []string{"own-state.json", "own-state-show.json", "own-plan.json", "own-plan-exclude.json"} {
		read := ofOpenTofu(t, name)

		var got []string

		for _, r := range sorted(read.Resources) {
			got = append(got, r.Address)

			if r.Provider != "registry.opentofu.org/upcloudltd/upcloud" || r.ID == "" || r.Name == "" {
				t.Errorf("%s: %+v", name, r)
			}

			excluded := name == "own-plan-exclude.json" && r.Address == "upcloud_router.whole"
			if read.Plan != (r.Seen != nil) && !excluded {
				t.Errorf("%s: of %s was seen %v", name, r.Address, r.Seen)
			}
		}

		if !slices.Equal(got, addresses) {
			t.Errorf("%s: got %q", name, got)
		}

		if read.Partial != (name == "own-plan-exclude.json") {
			t.Errorf("%s: it is said to leave resources out: %v", name, read.Partial)
		}
	}
}
