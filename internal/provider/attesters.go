// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/witness"
)

func (m *attestersModel) values() []attr.Value {
	return []attr.Value{m.Witnesses, m.Quorum, m.Authority, m.Certificates, m.Required}
}

func (m *attestersModel) sameAttesters(o *attestersModel) bool {
	for i, v := range m.values() {
		if !v.Equal(o.values()[i]) {
			return false
		}
	}

	return true
}

// validate reports what does not go together, whichever values are still unknown.
func (m *attestersModel) validate() diag.Diagnostics {
	var diags diag.Diagnostics

	wrong := func(name string, cause, next explain.Text) {
		diags.Append(diagnose(explain.Problem{
			Summary: explain.CheckConfiguration, Cause: cause,
			Next: next,
		}.At(explain.Argument(name)))...)
	}

	if given(m.Certificates) && m.Authority.IsNull() {
		wrong("timestamp_certificates", "There are certificates of a time stamp authority, but no authority is asked.",
			"Set timestamp_authority, or remove the argument.")
	}

	if given(m.Quorum) && m.Witnesses.IsNull() {
		wrong("witness_quorum", "There is a quorum of witnesses, but no witness is asked.",
			"Set witnesses, or remove the argument.")
	}

	if given(m.Required) && m.Witnesses.IsNull() && m.Authority.IsNull() {
		wrong("attestation_required", "Nobody is asked to attest the checkpoint.",
			"Set witnesses or timestamp_authority, or remove the argument.")
	}

	if m.Witnesses.IsNull() || m.Witnesses.IsUnknown() {
		return diags
	}

	count := int64(len(m.Witnesses.Elements()))
	if count == 0 {
		wrong("witnesses", "The list witnesses is empty.", "Leave the argument out (or set it to null) to ask no witness, or give at least one.")
	}

	if q := m.Quorum.ValueInt64(); given(m.Quorum) && count > 0 && (q < 1 || q > count) {
		diags.Append(diagnose(quorumProblem(count).At(explain.Argument("witness_quorum")))...)
	}

	for i, e := range m.Witnesses.Elements() {
		if o, ok := e.(types.Object); ok && !o.IsUnknown() {
			diags.Append(missingOf(o, path.Root("witnesses").AtListIndex(i))...)
		}
	}

	keys := map[string]bool{}

	for _, w := range m.witnesses() {
		if w.Key == nil {
			continue
		}

		// One who is asked twice would count twice for the reader of the configuration.
		id := w.Key.Name() + "+" + strconv.FormatUint(uint64(w.Key.KeyHash()), 16)
		if keys[id] {
			wrong("witnesses", "Two witnesses have the same public key.", "Name each witness once.")
		}

		keys[id] = true
	}

	return diags
}

// missingOf names what a witness has to have and has not.
func missingOf(o types.Object, at path.Path) diag.Diagnostics {
	if o.IsNull() {
		return diagnose(explain.Problem{Summary: explain.CheckConfiguration, Cause: "The value of " +
			explain.Plain(at.String()) + " is null.", Next: "Give the url and the public_key of a witness."}.At(placeOf(at)))
	}

	var diags diag.Diagnostics

	for _, name := range []string{"url", "public_key"} {
		if o.Attributes()[name].IsNull() {
			diags.Append(diagnose(explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   "The argument " + explain.Plain(at.AtName(name).String()) + " is missing.",
				Next:    "Give the url and the public_key of the witness.",
			}.At(placeOf(at.AtName(name))))...)
		}
	}

	return diags
}

// witnesses are those whose values are known; the key is nil of one whose key is not.
func (m *attestersModel) witnesses() []witness.Witness {
	all := make([]witness.Witness, 0, len(m.Witnesses.Elements()))

	for _, e := range m.Witnesses.Elements() {
		o, ok := e.(types.Object)
		if !ok {
			continue
		}

		address, isText := o.Attributes()["url"].(types.String)
		key, areTexts := o.Attributes()["public_key"].(types.String)

		if !isText || !areTexts {
			continue
		}

		w := witness.Witness{URL: address.ValueString()}

		if verifier, err := witness.ParseKey(key.ValueString()); err == nil {
			w.Key = verifier
		}

		all = append(all, w)
	}

	return all
}

// attesters are those whom an archive asks.
func (m *attestersModel) attesters() (archive.Attesters, error) {
	a := archive.Attesters{Witnesses: m.witnesses(), Tolerant: given(m.Required) && !m.Required.ValueBool()}

	a.Quorum = len(a.Witnesses)
	if given(m.Quorum) {
		a.Quorum = int(m.Quorum.ValueInt64())
	}

	if !given(m.Authority) {
		return a, nil
	}

	a.Authority = &witness.Authority{URL: m.Authority.ValueString()}

	if given(m.Certificates) {
		roots, err := witness.ParseRoots([]byte(m.Certificates.ValueString()))
		if err != nil {
			return archive.Attesters{}, err
		}

		a.Authority.Roots = roots
	}

	return a, nil
}

func quorumProblem(witnesses int64) explain.Problem {
	return explain.Problem{
		Summary: explain.CheckConfiguration,
		Cause: "The quorum does not go with the number of witnesses, which is " +
			explain.Plain(strconv.FormatInt(witnesses, 10)) + ".",
		Next: "Give at least one witness, and a number from 1 to how many there are.",
	}
}

func addressOfOthersForm() form {
	return formOf(`an address such as "https://example.com/path"`, witness.CheckURL)
}

func witnessKeyForm() form {
	return formOf(`the public key of a witness, such as "witness.example.com+0123abcd+BA…"`, func(value string) error {
		_, err := witness.ParseKey(value)

		return err
	})
}

func certificatesForm() form {
	return formOf(`certificates in PEM, such as file("tsa-roots.pem")`, func(value string) error {
		_, err := witness.ParseRoots([]byte(value))

		return err
	})
}
