// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// Inventory is what Terraform manages, as a plan or a state says.
type Inventory struct {
	Resources []Resource
	// Plan says that it is of a plan, so that what Terraform saw change is in it.
	Plan bool
	// Written is when the plan was made, zero where the file does not say, which no state does. Whoever knows when the
	// file was written may set it then.
	Written time.Time
	// Partial says that the plan leaves resources out, such as one with -target or -exclude, so that not all that changed
	// is seen. One with -refresh-only does so only where it says of itself whether it is complete, which those of OpenTofu
	// and of a Terraform before 1.8 do not.
	Partial bool
}

// Fault says what a file is that cannot be used.
type Fault string

// The faults.
const (
	Empty        Fault = "empty"
	NotJSON      Fault = "not_json"
	BinaryPlan   Fault = "binary_plan"
	NotUTF8      Fault = "not_utf8"
	MessageLines Fault = "message_lines"
	Encrypted    Fault = "encrypted"
	OtherFormat  Fault = "other_format"
	OldTerraform Fault = "old_terraform"
	FailedPlan   Fault = "failed_plan"
	Unknown      Fault = "unknown"
)

// InputError is a file that is no plan and no state, or none that can be read.
type InputError struct {
	Fault Fault
	// Version is that of the format, or of Terraform, whichever is at fault.
	Version string
	// Err says more, nil where there is nothing more to say. It holds no value of the file.
	Err error
}

func (e *InputError) Error() string {
	text := "the file cannot be read: " + string(e.Fault)
	if e.Version != "" {
		text += " " + e.Version
	}

	if e.Err != nil {
		text += ": " + e.Err.Error()
	}

	return text
}

func (e *InputError) Unwrap() error { return e.Err }

const (
	// The major version of the format of terraform show -json, and the version of that of a state.
	formatMajor  = "1"
	stateVersion = "4"
)

// Read reads a plan or a state: what terraform show -json prints, or a state as terraform state pull prints it. Of a
// state nothing is kept but addresses, types, ids and names. Memory is that of what is kept and of the largest
// resource. What is wrong with the text is an *InputError; all other errors are those of from.
func Read(from io.Reader) (*Inventory, error) {
	buffered := bufio.NewReader(from)

	if err := recognise(buffered); err != nil {
		return nil, err
	}

	r := reading{
		inventory: &Inventory{}, byAddress: map[string]int{}, keys: map[string]bool{}, planned: map[string]bool{},
	}

	err := exactjson.Pieces(buffered, r.at, r.take)

	switch input := (*InputError)(nil); {
	case errors.As(err, &input), err != nil && !isOfText(err):
		return nil, err
	case r.keys["@level"]:
		return nil, &InputError{Fault: MessageLines}
	case err != nil:
		return nil, &InputError{Fault: NotJSON, Err: err}
	}

	if err := r.check(); err != nil {
		return nil, err
	}

	for i := range r.inventory.Resources {
		found := &r.inventory.Resources[i]

		if found.Planned = r.inventory.Plan; found.Seen != nil {
			found.Seen.At = r.inventory.Written
		}
	}

	return r.inventory, nil
}

// isOfText says whether an error is about the text, and not of whoever gives it.
func isOfText(err error) bool {
	return errors.Is(err, exactjson.ErrSyntax) || strings.HasSuffix(err.Error(), " is there twice")
}

// recognise refuses what is easily taken for a plan or a state.
func recognise(from *bufio.Reader) error {
	const zip, wide, wideToo = "PK\x03\x04", "\xff\xfe", "\xfe\xff"

	begin, err := from.Peek(len(zip))

	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err //nolint:wrapcheck // It is the reader's.
	case len(begin) == 0:
		return &InputError{Fault: Empty}
	case bytes.HasPrefix(begin, []byte(zip)):
		return &InputError{Fault: BinaryPlan}
	case bytes.HasPrefix(begin, []byte(wide)), bytes.HasPrefix(begin, []byte(wideToo)):
		return &InputError{Fault: NotUTF8}
	case bytes.HasPrefix(begin, []byte("\xef\xbb\xbf")):
		_, err = from.Discard(len("\xef\xbb\xbf"))

		return err //nolint:wrapcheck // As above.
	default:
		return nil
	}
}

// reading is a Read under way.
type reading struct {
	inventory *Inventory
	byAddress map[string]int
	// keys are those of the text, which say what it is.
	keys map[string]bool
	// What the text says of itself, as it is written.
	format, version, terraform, errored, complete string
	// planned are the addresses of the resources for which the plan says what is to be done, if only nothing, and prior
	// those of the resources in the state that it was made of.
	planned map[string]bool
	prior   []string
}

// at says which parts of the text are read.
func (r *reading) at(path []string) exactjson.Step {
	if len(path) == 0 {
		return exactjson.GoInto
	}

	if len(path) == 1 {
		r.keys[path[0]] = true
	}

	switch path[0] {
	case "format_version", "version", "terraform_version", "timestamp", "errored", "complete":
		return exactjson.TakeWhole
	case "resource_drift", "resource_changes", "resources":
		return list(path[1:])
	case "values":
		return inValues(path[1:])
	case "prior_state":
		switch {
		case len(path) == 1:
			return exactjson.GoInto
		case path[1] == "values":
			return inValues(path[2:])
		}
	}

	return exactjson.PassBy
}

// list goes into a list and takes its elements.
func list(rest []string) exactjson.Step {
	if len(rest) == 0 {
		return exactjson.GoInto
	}

	return exactjson.TakeWhole
}

// inValues goes through modules to their resources.
func inValues(rest []string) exactjson.Step {
	if len(rest) > 0 && rest[0] != "root_module" {
		return exactjson.PassBy
	}

	for len(rest) > 1 {
		switch rest[1] {
		case "resources":
			return list(rest[2:])
		case "child_modules":
			if len(rest) == 2 {
				return exactjson.GoInto
			}

			rest = rest[2:] // The number of a module, and what is in it.
		default:
			return exactjson.PassBy
		}
	}

	return exactjson.GoInto
}

func (r *reading) take(path []string, value []byte) error {
	if len(path) == 0 {
		return nil // It is no object, which check says.
	}

	switch path[0] {
	case "format_version":
		r.format = textOf(value)

		return r.checkFormat()
	case "version":
		r.version = textOf(value)

		return r.checkFormat()
	case "terraform_version":
		r.terraform = textOf(value)
	case "timestamp":
		// A time that cannot be read is as good as none.
		r.inventory.Written, _ = time.Parse(time.RFC3339, textOf(value))
	case "errored":
		r.errored = textOf(value)
	case "complete":
		r.complete = textOf(value)
	default:
		return r.takePart(path, value)
	}

	return nil
}

// takePlanned takes the address of a resource for which the plan says what is to be done.
func (r *reading) takePlanned(value []byte) error {
	err := exactjson.Read(value, func(in *exactjson.Reader) {
		for key := range in.Members() {
			if string(key) == "address" {
				r.planned[in.Text()] = true
			}
		}
	})
	if err != nil {
		return &InputError{Fault: Unknown, Err: err}
	}

	return nil
}

// leavesOut says whether a plan is of some resources only.
func (r *reading) leavesOut() bool {
	if r.complete != "" {
		return r.complete == "false"
	}

	return r.keys["resource_changes"] && slices.ContainsFunc(r.prior, func(a string) bool { return !r.planned[a] })
}

// takePart takes an element of one of the lists of resources, or what stands where such a list or a module should.
func (r *reading) takePart(path []string, value []byte) error {
	switch {
	case len(path) > 1 && path[0] == "resource_drift":
		return r.takeDrift(value)
	case len(path) > 1 && path[0] == "resource_changes":
		return r.takePlanned(value)
	case len(path) > 1 && path[0] == "resources":
		return r.takeInstances(value)
	case len(path) > 2 && path[len(path)-2] == "resources":
		return r.takeResource(value, path[0] == "prior_state")
	case string(value) == "null":
		return nil
	default:
		return &InputError{Fault: Unknown, Err: errors.New("a list of resources is none")}
	}
}

// textOf is a text, or a number or a boolean as it is written.
func textOf(value []byte) string {
	var text string
	if err := exactjson.Unmarshal(value, &text); err == nil {
		return text
	}

	return string(value)
}

func (r *reading) checkFormat() error {
	if r.format != "" {
		if major, _, _ := strings.Cut(r.format, "."); major != formatMajor {
			return &InputError{Fault: OtherFormat, Version: versionOf(r.format)}
		}
	}

	if r.version != "" && r.version != stateVersion {
		return &InputError{Fault: OtherFormat, Version: versionOf(r.version)}
	}

	return nil
}

// versionOf is a version that may be shown: what is none may be anything that a file holds.
func versionOf(text string) string {
	if !versions.MatchString(text) {
		return ""
	}

	return text
}

var versions = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9}){0,3}(-[0-9a-z.]{1,20})?$`)

// check says what is wrong with the whole.
func (r *reading) check() error {
	switch {
	case r.keys["encrypted_data"]:
		return &InputError{Fault: Encrypted}
	case r.keys["@level"]:
		return &InputError{Fault: MessageLines}
	case r.errored == "true":
		return &InputError{Fault: FailedPlan}
	case r.format == "" && (r.version == "" || !r.keys["resources"]):
		return &InputError{Fault: Unknown}
	case r.format == "" && isOld(r.terraform):
		return &InputError{Fault: OldTerraform, Version: versionOf(r.terraform)}
	case r.keys["resource_changes"], r.keys["planned_values"]:
		r.inventory.Plan = true
		r.inventory.Partial = r.leavesOut()
	}

	return nil
}

// isOld says whether a state was written by a Terraform that did not say whose provider a resource is of: before 0.13.
func isOld(version string) bool {
	const first = 13

	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)

	return major == "0" && err == nil && n < first
}

// attributes are those of a resource that are kept.
type attributes struct {
	texts map[string]string
	// hidden are the ones that are marked as sensitive.
	hidden map[string]bool
}

// read reads the ones that are kept, and passes all others by.
func (a *attributes) read(r *exactjson.Reader) {
	a.texts = map[string]string{}

	for key := range r.Members() {
		name := string(key)
		if name != "id" && name != "network" && !slices.Contains(usualNames, name) {
			continue
		}

		if raw := r.Raw(nil); len(raw) > 0 && raw[0] == '"' {
			a.texts[name] = textOf(raw)
		}
	}
}

// wholly stands for all attributes among those that are hidden.
const wholly = ""

func (a *attributes) hide(name string) {
	if a.hidden == nil {
		a.hidden = map[string]bool{}
	}

	a.hidden[name] = true
}

// hideMarked takes note of what marks say, as terraform show -json prints them.
func (a *attributes) hideMarked(marks exactjson.Node) {
	if marks.Kind == exactjson.True {
		a.hide(wholly)
	}

	for _, m := range marks.Parts {
		if marked(m) {
			a.hide(m.Key)
		}
	}
}

// hidePaths takes note of the paths to what is sensitive, as a state holds them.
func (a *attributes) hidePaths(paths exactjson.Node) {
	for _, path := range paths.Parts {
		if len(path.Parts) == 0 {
			a.hide(wholly)

			continue
		}

		for _, m := range path.Parts[0].Parts {
			if m.Key == "value" {
				a.hide(textOf(m.Text))
			}
		}
	}
}

// give gives a resource what it is known by.
func (a *attributes) give(r *Resource) {
	name, attribute := nameOf(r.Type, a.texts)
	r.ID, r.Name = a.texts["id"], name
	r.HiddenID = a.hidden[wholly] || a.hidden["id"]
	r.HiddenName = a.hidden[wholly] || a.hidden[attribute]
}

// takeResource takes a resource as terraform show -json prints it, of the state that a plan was made of, or of another.
func (r *reading) takeResource(value []byte, prior bool) error {
	var (
		found         Resource
		kept          attributes
		mode, deposed string
	)

	err := exactjson.Read(value, func(in *exactjson.Reader) {
		for key := range in.Members() {
			switch string(key) {
			case "address":
				found.Address = in.Text()
			case "mode":
				mode = in.Text()
			case "type":
				found.Type = in.Word()
			case "provider_name":
				found.Provider = in.Word()
			case "deposed_key":
				deposed = in.Text()
			case "values":
				kept.read(in)
			case "sensitive_values":
				kept.hideMarked(in.Node())
			}
		}
	})
	if err != nil {
		return &InputError{Fault: Unknown, Err: err}
	}

	if prior && (mode == managed || mode == "") {
		r.prior = append(r.prior, found.Address)
	}

	return r.add(found, mode, deposed, "", &kept)
}

// managed is the mode of a resource that Terraform manages.
const managed = "managed"

// add keeps a resource that Terraform manages. The address that it had before is "" where that is the same.
func (r *reading) add(found Resource, mode, deposed, before string, kept *attributes) error {
	if mode != managed && mode != "" {
		return nil
	}

	if mode == "" || found.Address == "" || found.Type == "" {
		return &InputError{Fault: Unknown, Err: errors.New("a resource lacks its mode, its address or its type")}
	}

	if deposed != "" {
		found.Address += fmt.Sprintf(" (deposed object %s)", deposed)
	}

	kept.give(&found)

	same := func(known *Resource) bool {
		return known.ID == "" || found.ID == "" || strings.EqualFold(known.ID, found.ID)
	}

	if i, again := r.byAddress[found.Address]; again && same(&r.inventory.Resources[i]) {
		// A plan has a resource that changed twice: as it was before, and as it is now; and one that was moved at both
		// addresses.
		r.inventory.Resources[i].join(&found)

		return nil
	}

	r.byAddress[found.Address] = len(r.inventory.Resources)
	if before != "" {
		r.byAddress[before] = len(r.inventory.Resources)
	}

	r.inventory.Resources = append(r.inventory.Resources, found)

	return nil
}

// instance is one of a resource in a state.
type instance struct {
	key, deposed string
	// provider is there where a resource has instances of several, as it can have in OpenTofu.
	provider string
	kept     attributes
}

func readInstance(in *exactjson.Reader) instance {
	var i instance

	for key := range in.Members() {
		switch string(key) {
		case "index_key":
			i.key = keyOf(in.Raw(nil))
		case "deposed":
			i.deposed = in.Text()
		case "provider":
			i.provider = in.Text()
		case "attributes", "attributes_flat":
			i.kept.read(in)
		case "sensitive_attributes":
			i.kept.hidePaths(in.Node())
		}
	}

	return i
}

// takeInstances takes a resource as a state holds it, with all of its instances.
func (r *reading) takeInstances(value []byte) error {
	var (
		module, mode, resourceType, name, provider string

		instances []instance
	)

	err := exactjson.Read(value, func(in *exactjson.Reader) {
		for key := range in.Members() {
			switch string(key) {
			case "module":
				module = in.Text()
			case "mode":
				mode = in.Text()
			case "type":
				resourceType = in.Text()
			case "name":
				name = in.Text()
			case "provider":
				provider = in.Text()
			case "instances":
				for range in.Elements() {
					instances = append(instances, readInstance(in))
				}
			}
		}
	})
	if err != nil {
		return &InputError{Fault: Unknown, Err: err}
	}

	for _, i := range instances {
		found := Resource{
			Address: resourceType + "." + name + i.key, Type: resourceType, Provider: sourceOf(cmp.Or(i.provider, provider)),
		}
		if module != "" {
			found.Address = module + "." + found.Address
		}

		if err := r.add(found, mode, i.deposed, "", &i.kept); err != nil {
			return err
		}
	}

	return nil
}

// keyOf writes the key of an instance as in an address.
func keyOf(raw []byte) string {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return ""
	case raw[0] == '"':
		return quotedKey(textOf(raw))
	default:
		return "[" + string(raw) + "]"
	}
}

// sourceOf is the source in a provider's address, such as provider["registry.terraform.io/upcloudltd/upcloud"].
func sourceOf(provider string) string {
	_, rest, _ := strings.Cut(provider, `["`)
	source, _, _ := strings.Cut(rest, `"]`)

	return source
}

// NewResource is a resource of which an address, a type and what it is known by in the log are given: its id, or of a
// type that is found by its name the name. An id in place of a name is none.
func NewResource(address, resourceType, known string) Resource {
	r := Resource{Address: address, Type: resourceType, ID: known}

	if k, ok := KindOf(resourceType); ok && k.Match == ByName && !isUUID(known) {
		r.ID, r.Name = "", known
	}

	return r
}
