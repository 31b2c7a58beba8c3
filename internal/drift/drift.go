// SPDX-License-Identifier: MPL-2.0

// Package drift says who changed what Terraform manages: it reads the addresses and the ids of resources from plans and
// states, and holds them against the entries of an audit log.
//
// What is matched is matched for certain, or marked with how certain it is. What cannot be matched is counted and
// named, and never shown as if nothing had happened to it.
package drift

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Resource is what is kept of a resource that Terraform manages: nothing of its other attributes.
type Resource struct {
	// Address is as Terraform writes it, such as module.eu["a"].upcloud_server.web.
	Address string
	// Type is such as upcloud_server, Provider such as registry.terraform.io/upcloudltd/upcloud, "" where it is not known.
	Type     string
	Provider string
	ID       string
	// Name is what the cloud's log calls it, or would; "" where it has none.
	Name string
	// FormerName is what it was called before it changed, as far as a plan saw that.
	FormerName string
	// Seen is what Terraform saw change, nil where it saw nothing or was not asked.
	Seen *Seen
	// AsOf is when the state that holds it was written, zero where that is not known.
	AsOf time.Time
	// Planned says that a plan has it: it was there when the plan was made, unless Seen says that it was gone.
	Planned bool
	// The id and the name may be marked as sensitive, so that they are good for finding it, and not shown.
	HiddenID, HiddenName bool
}

// join takes over what is told of the same resource a second time.
func (r *Resource) join(again *Resource) {
	r.ID, r.Name = cmp.Or(again.ID, r.ID), cmp.Or(again.Name, r.Name)
	r.Type, r.Provider = again.Type, cmp.Or(again.Provider, r.Provider)
	r.FormerName, r.Planned = cmp.Or(r.FormerName, again.FormerName), r.Planned || again.Planned
	r.HiddenID, r.HiddenName = r.HiddenID || again.HiddenID, r.HiddenName || again.HiddenName

	if r.Seen == nil {
		r.Seen = again.Seen
	}

	if again.AsOf.After(r.AsOf) {
		r.AsOf = again.AsOf
	}
}

// Seen is how the cloud differed from the state when a plan was made.
type Seen struct {
	// Deleted says that the resource was gone.
	Deleted bool
	// Changes are by attribute. In place of a value that the plan marks as sensitive stands Sensitive.
	Changes []auditlog.Change
	// At is when the plan was begun, zero where that is not known.
	At time.Time
}

// Sensitive is shown in place of a value that a plan marks as sensitive, a JSON value as text.
const Sensitive = `"(sensitive value)"`

// Match says by what an entry and a resource were brought together.
type Match string

const (
	// ByID means that the entry has the resource's id.
	ByID Match = "by_id"
	// ByContainer means that the entry has the id of what holds the resource, such as the cluster of a node group:
	// which of its parts was changed the log does not say.
	ByContainer Match = "by_container"
	// ByName means that type and name are the same, as far as the log's message gives them.
	ByName Match = "by_name"
)

// Reason says why a resource could not be matched, or why nothing explains what Terraform saw.
type Reason string

// The reasons.
const (
	ForeignProvider Reason = "foreign_provider"
	OtherService    Reason = "other_service"
	NotInLog        Reason = "not_in_log"
	NoID            Reason = "no_id"
	NoName          Reason = "no_name"
	AmbiguousName   Reason = "ambiguous_name"
	OnlyPipeline    Reason = "only_pipeline"
	NoDeletion      Reason = "no_deletion"
	InGap           Reason = "gap"
	BeforeRetention Reason = "before_retention"
	BeforeWindow    Reason = "before_window"
	OtherTime       Reason = "other_time"
	Unnamed         Reason = "unnamed"
)

var reasonTexts = map[Reason]string{
	ForeignProvider: "It is of a provider whose cloud has no audit log that can be read here.",
	OtherService:    "It is of another cloud than the log that was read.",
	NotInLog:        "The log is not known to record this type, so that finding nothing proves nothing.",
	NoID:            "It has no id that the log could have.",
	NoName:          "The log has no ids, and the resource has no name.",
	AmbiguousName:   "There may be several of this type and name, and the log does not say which one it means.",
	OnlyPipeline:    "Only the pipeline itself changed it within the window.",
	NoDeletion:      "Terraform says that it is gone, and the log does not show who deleted it.",
	InGap:           "Nothing was found, and there are parts of the window that nothing is known about.",
	BeforeRetention: "Nothing was found as far back as the service keeps its log.",
	BeforeWindow:    "Nothing was found within the window: a longer one may show it.",
	Unnamed:         "The log does not say what was created, so that it may be in a state, or gone again.",
	OtherTime:       "What was done by hand was done after the plan was made, or reverted before it, so that it does not explain the plan.",
}

// Text is the reason in one sentence.
func (r Reason) Text() string { return reasonTexts[r] }

// Event is an entry that something was done by.
type Event struct {
	auditlog.Entry

	// Reverted says that the pipeline has since set every field that was changed back to what it was before people
	// changed it, or made the thing anew.
	Reverted bool
	// pending are the fields of which that is not so yet, if it can become so.
	pending []string
}

// Telling are the changes by which people recognise what was done. What is created or deleted changes in all of its
// fields, most of which say nothing.
func (e *Event) Telling() []auditlog.Change {
	if e.Operation != auditlog.OperationCreate && e.Operation != auditlog.OperationDelete {
		return e.Changes
	}

	known := []string{"name", "title", "hostname", "display_name", "plan", "size"}

	isOther := func(c auditlog.Change) bool { return !slices.Contains(known, c.Field) }

	return slices.DeleteFunc(slices.Clone(e.Changes), isOther)
}

// Row is a resource with what was done to it.
type Row struct {
	// Address and Type are "" where Terraform does not manage it.
	Address string
	Type    string
	Service string
	ID      string
	Name    string
	Match   Match
	// Reason is why nothing explains it, "" where something does.
	Reason Reason
	Seen   *Seen
	// Events are what was done by hand, oldest first: the newest MostEvents of them. EventCount is how many there are.
	Events     []Event
	EventCount int64
	// Reverted says that all of them were reverted.
	Reverted bool
	// AfterState says that it was created after the state was written, so that the state could not hold it yet.
	AfterState bool
}

// Title is what the row is about: the address, or of what Terraform does not manage the cloud, its type and its name.
func (r *Row) Title() string {
	if r.Address != "" {
		return r.Address
	}

	logType := ""
	if len(r.Events) > 0 {
		logType = r.Events[0].ResourceType
	}

	parts := []string{r.Service, logType, cmp.Or(r.Name, r.ID)}

	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), " ")
}

// Doubt says in a sentence why what was done may not have been done to the resource, "" where it was.
func (r *Row) Doubt() string {
	switch {
	case r.EventCount == 0 || r.Reason == AmbiguousName:
		return ""
	case r.Match == ByContainer:
		return "The log has what was done to what holds it; which part was changed it does not say."
	case r.Match == ByName:
		return "Matched by type and name, since the log has no ids."
	default:
		return ""
	}
}

// MostEvents is how many events a row lists.
const MostEvents = 20

// Unmatched are resources of a type that could not be matched, or may not have been.
type Unmatched struct {
	Reason Reason
	Type   string
	Count  int
	// Example is the address of one of them.
	Example string
}

// Result is what Compare found.
type Result struct {
	// Changed, Deleted and Created are what was done by hand: to what Terraform manages, and what exists besides, as far
	// as the log says. Unexplained is what Terraform saw change and nobody is known to have done.
	Changed     []Row
	Deleted     []Row
	Created     []Row
	Unexplained []Row
	Unmatched   []Unmatched

	// Resources is how many there are, Entries how many were read, ByPipeline how many of those the pipeline did.
	Resources  int64
	Entries    int64
	ByPipeline int64
	// Unattributed is how many entries change something and do not say what, such as the attachment of a volume to a
	// server in cloudscale's log, or name what no resource is called.
	Unattributed int64
	// Matched is how many entries are about resources.
	Matched int64
	// Former is how many things both people and the pipeline worked on that are in no state, such as those of which
	// Terraform has made new ones since. FormerExample is one of them.
	Former        int64
	FormerExample auditlog.Entry
	// Chosen are names of actors that would be the pipeline if anybody could not choose them, with the ids of who has
	// them.
	Chosen map[string][]string
	// Trusted are such names by which a condition of the pipeline has taken entries for the pipeline's.
	Trusted map[string][]string
	// AsOf is when the states were written.
	AsOf         time.Time
	Completeness auditlog.Completeness
}

// Found is how many rows say that something is not as Terraform left it.
func (r *Result) Found() int {
	return len(r.Changed) + len(r.Deleted) + len(r.Created) + len(r.Unexplained)
}

// Doubtful says whether there are resources of the cloud that may have been changed without showing.
func (r *Result) Doubtful() bool {
	for _, u := range r.Unmatched {
		if u.Reason != ForeignProvider && u.Reason != OtherService {
			return true
		}
	}

	return r.Unattributed > 0 || r.Former > 0
}

// TypeOf returns the type in an address of a managed resource, and whether it is one.
func TypeOf(address string) (string, bool) {
	rest := address

	for {
		step, after, ok := cutStep(rest)
		if !ok || after == "" {
			return "", false
		}

		if step != "module" {
			// The type is before a name, which may have a key.
			name, end, ok := cutStep(after)

			return step, ok && step != "data" && name != "" && end == "" && strings.Contains(step, "_")
		}

		if _, rest, ok = cutStep(after); !ok {
			return "", false
		}
	}
}

// IsAddress says whether a text is written as an address of anything in Terraform: also that of a module or of a data
// source, which no log knows.
func IsAddress(text string) bool {
	_, isManaged := TypeOf(text)
	source, isSource := strings.CutPrefix(text, "data.")

	if isSource {
		_, isSource = TypeOf(source)
	}

	return isManaged || isSource || strings.HasPrefix(text, "module.")
}

// cutStep cuts an address behind the first dot that is in no key. What stands before has no key itself.
func cutStep(address string) (step, after string, ok bool) {
	end := strings.IndexAny(address, ".[")
	if end < 0 {
		return address, "", address != ""
	}

	step, after = address[:end], address[end:]

	if after[0] == '[' {
		closing := endOfKey(after)
		if closing < 0 {
			return "", "", false
		}

		if after = after[closing:]; after == "" {
			return step, "", step != ""
		}
	}

	return step, strings.TrimPrefix(after, "."), step != "" && after[0] == '.' && len(after) > 1
}

// endOfKey returns where a key such as ["a \"b\""] ends, -1 where it does not.
func endOfKey(text string) int {
	quoted := false

	for i := 1; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && text[i] == ']':
			return i + 1
		}
	}

	return -1
}

// quotedKey writes a key of for_each as Terraform does in an address.
func quotedKey(key string) string {
	const short = 1 << 16

	var b strings.Builder

	for _, r := range keyEscapes.Replace(key) {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < short:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}

	return `["` + b.String() + `"]`
}

var keyEscapes = strings.NewReplacer(
	`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "${", "$${", "%{", "%%{",
)
