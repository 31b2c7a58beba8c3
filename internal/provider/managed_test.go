// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// managed is a resource that is driven as Terraform drives it: what it is remembered
// to be, and every diagnostic of the last step, warnings included.
type managed struct {
	answer

	t    *testing.T
	name string
	kind tftypes.Type

	state   tftypes.Value
	private []byte

	// action is what the last plan would do: "none", "create", "update", "replace".
	action string
}

func newManaged(c configured, name string) *managed {
	kind := c.schemas.ResourceSchemas[name].ValueType()

	return &managed{t: c.t, name: name, kind: kind, state: tftypes.NewValue(kind, nil), answer: answer{t: c.t}}
}

func (m *managed) dynamic(v tftypes.Value) *tfprotov6.DynamicValue {
	m.t.Helper()

	d, err := tfprotov6.NewDynamicValue(m.kind, v)
	if err != nil {
		m.t.Fatal(err)
	}

	return &d
}

// took takes over diagnostics, and says whether there is no error among them.
func (m *managed) took(diags []*tfprotov6.Diagnostic, err error) bool {
	m.t.Helper()

	if err != nil {
		m.t.Fatal(err)
	}

	m.diags = append(m.diags, diags...)

	return len(m.errors()) == 0
}

func (m *managed) remember(d *tfprotov6.DynamicValue, private []byte) {
	m.t.Helper()

	state, err := d.Unmarshal(m.kind)
	if err != nil {
		m.t.Fatal(err)
	}

	m.state, m.private = state, private
	m.answer.state = nil

	if !state.IsNull() {
		if err := state.As(&m.answer.state); err != nil {
			m.t.Fatal(err)
		}
	}
}

// refresh looks at what is there.
func (m *managed) refresh(c configured) {
	m.t.Helper()

	m.diags = nil

	resp, err := c.server.ReadResource(m.t.Context(),
		&tfprotov6.ReadResourceRequest{TypeName: m.name, CurrentState: m.dynamic(m.state), Private: m.private})
	if m.took(resp.Diagnostics, err) {
		m.remember(resp.NewState, resp.Private)
	}
}

// imports takes over what is there.
func (m *managed) imports(c configured, id string) {
	m.t.Helper()

	m.diags = nil

	resp, err := c.server.ImportResourceState(m.t.Context(),
		&tfprotov6.ImportResourceStateRequest{TypeName: m.name, ID: id})
	if m.took(resp.Diagnostics, err) {
		m.remember(resp.ImportedResources[0].State, resp.ImportedResources[0].Private)

		said := m.diags
		m.refresh(c)
		m.diags = append(said, m.diags...)
	}
}

// plan refreshes and plans. It returns nil where that fails.
func (m *managed) plan(c configured, arguments args) *tfprotov6.PlanResourceChangeResponse {
	m.t.Helper()

	m.diags, m.action = nil, ""

	if !m.state.IsNull() {
		m.refresh(c)
	}

	config := value(m.t, m.kind, arguments)

	checked, err := c.server.ValidateResourceConfig(m.t.Context(),
		&tfprotov6.ValidateResourceConfigRequest{TypeName: m.name, Config: m.dynamic(config)})
	if !m.took(checked.Diagnostics, err) {
		return nil
	}

	return m.change(c, config, m.state, m.private)
}

// change plans from a state, or anew where that takes another resource.
func (m *managed) change(
	c configured, config, prior tftypes.Value, private []byte,
) *tfprotov6.PlanResourceChangeResponse {
	m.t.Helper()

	planned, err := c.server.PlanResourceChange(m.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: m.name, Config: m.dynamic(config), PriorState: m.dynamic(prior),
		ProposedNewState: m.dynamic(m.proposed(c, config, prior)), PriorPrivate: private,
	})
	if !m.took(planned.Diagnostics, err) {
		return nil
	}

	if len(planned.RequiresReplace) > 0 && !prior.IsNull() {
		again := m.change(c, config, tftypes.NewValue(m.kind, nil), planned.PlannedPrivate)
		m.action = "replace"

		return again
	}

	after, err := planned.PlannedState.Unmarshal(m.kind)
	if err != nil {
		m.t.Fatal(err)
	}

	switch {
	case prior.IsNull():
		m.action = "create"
	case after.Equal(prior):
		m.action = "none"
	default:
		m.action = "update"
	}

	return planned
}

// proposed is the configuration with what was computed before.
func (m *managed) proposed(c configured, config, prior tftypes.Value) tftypes.Value {
	m.t.Helper()

	if prior.IsNull() {
		return config
	}

	var all, before map[string]tftypes.Value
	if err := config.As(&all); err != nil {
		m.t.Fatal(err)
	}

	if err := prior.As(&before); err != nil {
		m.t.Fatal(err)
	}

	all = maps.Clone(all)

	for _, a := range c.schemas.ResourceSchemas[m.name].Block.Attributes {
		if a.Computed && all[a.Name].IsNull() {
			all[a.Name] = before[a.Name]
		}
	}

	return tftypes.NewValue(m.kind, all)
}

// apply refreshes, plans and applies, as one run of Terraform.
func (m *managed) apply(c configured, arguments args) {
	m.t.Helper()

	planned := m.plan(c, arguments)
	if planned == nil || m.action == "none" {
		return
	}

	prior := m.state

	if m.action == "replace" {
		if !m.end(c, planned.PlannedPrivate) {
			return
		}

		prior = m.state
	}

	m.finish(c, arguments, prior, planned)
}

// replace plans another resource in the place of this one and carries that out, as
// Terraform does with -replace, or where the resource is tainted.
func (m *managed) replace(c configured, arguments args, tainted bool) {
	m.t.Helper()

	planned := m.planReplacement(c, arguments, tainted)
	if planned != nil && m.end(c, planned.PlannedPrivate) {
		m.finish(c, arguments, m.state, planned)
	}
}

func (m *managed) planReplacement(c configured, arguments args, tainted bool) *tfprotov6.PlanResourceChangeResponse {
	m.t.Helper()

	config, none := value(m.t, m.kind, arguments), tftypes.NewValue(m.kind, nil)

	if m.refresh(c); tainted {
		return m.change(c, config, none, nil)
	}

	planned := m.change(c, config, m.state, m.private)
	if planned == nil || m.action == "replace" {
		return planned
	}

	return m.change(c, config, none, planned.PlannedPrivate)
}

// end takes the resource out of the state, as it was planned with that beside it.
func (m *managed) end(c configured, private []byte) bool {
	m.t.Helper()

	none := m.dynamic(tftypes.NewValue(m.kind, nil))

	done, err := c.server.ApplyResourceChange(m.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: m.name, Config: none, PriorState: m.dynamic(m.state), PlannedState: none, PlannedPrivate: private,
	})
	if !m.took(done.Diagnostics, err) {
		return false
	}

	m.remember(done.NewState, done.Private)

	return true
}

// finish carries a plan out.
func (m *managed) finish(
	c configured, arguments args, prior tftypes.Value, planned *tfprotov6.PlanResourceChangeResponse,
) {
	m.t.Helper()

	done, err := c.server.ApplyResourceChange(m.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: m.name, Config: m.dynamic(value(m.t, m.kind, arguments)), PriorState: m.dynamic(prior),
		PlannedState: planned.PlannedState, PlannedPrivate: planned.PlannedPrivate,
	})
	if m.took(done.Diagnostics, err) {
		m.remember(done.NewState, done.Private)
	}
}

// destroy ends the resource as it is remembered, without a refresh.
func (m *managed) destroy(c configured) {
	m.t.Helper()

	m.diags = nil
	none := m.dynamic(tftypes.NewValue(m.kind, nil))

	planned, err := c.server.PlanResourceChange(m.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: m.name, Config: none, PriorState: m.dynamic(m.state), ProposedNewState: none, PriorPrivate: m.private,
	})
	if !m.took(planned.Diagnostics, err) {
		return
	}

	m.end(c, planned.PlannedPrivate)
}

// with returns arguments with others set, or with nil removed.
func with(arguments, others args) args {
	all := maps.Clone(arguments)
	maps.Copy(all, others)

	for _, name := range slices.Collect(maps.Keys(all)) {
		if all[name] == nil {
			delete(all, name)
		}
	}

	return all
}
