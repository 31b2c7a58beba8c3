// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// filled is a value of that type whose every text is one and whose every number is
// the other.
func filled(kind tftypes.Type, text string, number int) any {
	switch k := kind.(type) {
	case tftypes.List:
		return list(filled(k.ElementType, text, number))
	case tftypes.Map:
		return args{"own": filled(k.ElementType, text, number)}
	case tftypes.Object:
		all := args{}
		for name, t := range k.AttributeTypes {
			all[name] = filled(t, text, number)
		}

		return all
	}

	switch {
	case kind.Is(tftypes.Number):
		return number
	case kind.Is(tftypes.Bool):
		return true
	default:
		return text
	}
}

// TestNoDiagnosticSaysWhatAValueIs: an argument's value may come from a variable that
// is sensitive, which Terraform does not say. Only the places that are worked at are
// named: paths and destinations.
func TestNoDiagnosticSaysWhatAValueIs(t *testing.T) {
	t.Parallel()

	const number = 987654321

	w := newWorld(t, fakeapi.Options{Entries: 20})
	places := []string{"path", "destination", "exports", "podstack", "state_file"}

	check := func(t *testing.T, at string, diags []*tfprotov6.Diagnostic) {
		t.Helper()

		for _, d := range diags {
			if text := d.Summary + "\n" + d.Detail; strings.Contains(text, "SENSITIVE") ||
				strings.Contains(text, fmt.Sprint(number)) {
				t.Errorf("%s: %s", at, text)
			}
		}
	}

	// What a condition says outside of its strings is no value, but how it is written.
	textsOf := func(attribute string) []string {
		if attribute == "where" || attribute == "rules" {
			return []string{
				`entry.actor == "SENSITIVE" && `, `entry.operation == "SENSITIVE"`, `entry.actor.matches("[SENSITIVE")`,
				`entry.action == "SENSITIVE"`,
				`ip_in(entry.ip_address, "SENSITIVE")`, `entry.raw.x == "SENSITIVE"`, `entry.resource_type == "SENSITIVE"`,
				`"SENSITIVE`,
			}
		}

		return []string{"SENSITIVE", "https://u:SENSITIVE@example.com", " SENSITIVE\n"}
	}

	c := w.provider(t, w.settings())

	for name, s := range c.schemas.DataSourceSchemas {
		for _, a := range s.Block.Attributes {
			if a.Computed && !a.Optional || slices.Contains(places, a.Name) {
				continue
			}

			for _, text := range textsOf(a.Name) {
				arguments := args{"destination": w.dir}
				if name != "audit_log_verification" {
					arguments = args{"service": "upcloud"}
				}

				arguments[a.Name] = filled(a.ValueType(), text, number)
				check(t, name+" "+a.Name, c.read(name, arguments).diags)
			}
		}
	}

	for name, s := range c.schemas.ResourceSchemas {
		for _, a := range s.Block.Attributes {
			if a.Computed && !a.Optional || slices.Contains(places, a.Name) {
				continue
			}

			for i, text := range textsOf(a.Name) {
				arguments := args{"service": "upcloud", "destination": w.file("arch")}
				if name == "audit_log_export" {
					arguments = args{"service": "upcloud", "path": w.file(fmt.Sprintf("%s-%d", a.Name, i)), "format": "csv"}
				}

				arguments[a.Name] = filled(a.ValueType(), text, number)
				check(t, name+" "+a.Name, c.apply(name, arguments).diags)
			}
		}
	}

	for _, a := range c.schemas.Provider.Block.Attributes {
		for _, text := range textsOf(a.Name) {
			value := filled(a.ValueType(), text, number)
			if a.Name == "podstack" {
				value = args{
					"exports": list(w.file("none.csv")), "columns": args{"own": text, "actor": text},
					"ignored_columns": list(text), "account": text, "retention": text,
				}
			}

			config := dynamic(t, c.schemas.Provider.ValueType(), args{a.Name: value})

			checked, err := c.server.ValidateProviderConfig(t.Context(),
				&tfprotov6.ValidateProviderConfigRequest{Config: config})
			if err != nil {
				t.Fatal(err)
			}

			check(t, "provider "+a.Name, checked.Diagnostics)
		}
	}
}
