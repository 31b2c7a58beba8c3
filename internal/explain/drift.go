// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

// FindDrift is what comparing a state with a log does.
const FindDrift = "Find out who changed what"

// ExplainResource is what telling the life of one resource does.
const ExplainResource = "Explain a resource"

// readState is what reading a plan or a state does.
const readState = "Read a plan or a state of Terraform"

// Inventory says why a plan or a state cannot be read. The name is that of the file.
func Inventory(err error, name string) Problem {
	p := Problem{
		Summary: readState, Cause: Sentence(err.Error()),
		Next: "Give a plan or a state as terraform show -json prints it, or a state as terraform state pull prints it.",
	}.With("File", name)

	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		p.Cause = "The file cannot be read: " + Plain(pathErr.Err.Error()) + "."

		return p
	}

	input := (*drift.InputError)(nil)
	if !errors.As(err, &input) {
		return p
	}

	switch input.Fault {
	case drift.BinaryPlan:
		p.Cause, p.Next = "The file is a plan as terraform plan -out writes it.", "Give what terraform show -json prints of it."
	case drift.NotUTF8:
		p.Cause = "The file is in UTF-16, as Windows PowerShell writes what a command prints."
		p.Next = "Write the file in UTF-8, such as by: terraform show -json tfplan | Out-File -Encoding utf8 plan.json"
	case drift.MessageLines:
		p.Cause = "The file holds the messages of a run, as terraform plan -json prints them."
		p.Next = "Write the plan to a file with terraform plan -out, and give what terraform show -json prints of that file."
	case drift.Encrypted:
		p.Cause = "The file is encrypted, as OpenTofu can write states and plans."
		p.Next = "Give what tofu show -json prints, or tofu state pull, which decrypt it."
	case drift.OtherFormat:
		p.Cause = "The file is in another version of the format than can be read."
		p.Next = "Give what terraform show -json of Terraform 1.1 or later prints, which is in version 1.x, " +
			"or a state in version 4; Terraform 0.12 wrote others."
		p = p.With("Version", input.Version)
	case drift.OldTerraform:
		p.Cause = "The state was written by a Terraform that did not note which provider a resource is of."
		p.Next = "Let Terraform 0.13 or later write the state once, such as by terraform apply -refresh-only."
		p = p.With("Terraform", input.Version)
	case drift.FailedPlan:
		p.Cause = "The plan ended in an error, so that it does not hold everything."
		p.Next = "Make a plan that ends without an error."
	case drift.Empty:
		p.Cause = "The file is empty, as it is when the command that was to write it has failed."
	case drift.NotJSON:
		p.Cause = "The file is not JSON, or only a part of it."
		if input.Err != nil && !strings.HasPrefix(input.Err.Error(), "it is") {
			p.Cause = Sentence(input.Err.Error())
		}
	case drift.Unknown:
		p.Cause = "The file is neither a plan nor a state."
		if input.Err != nil {
			p = p.With("Reason", input.Err.Error())
		}
	}

	return p
}

// Partial says that a plan leaves resources out. The name is that of the file.
func Partial(name string) Problem {
	return Problem{
		Summary: "The plan leaves resources out",
		Cause:   "The plan is not of all resources, such as one with -target or -exclude, so that it may not show all that changed.",
		Next:    "Make a plan of everything.",
	}.With("File", name).AsWarning()
}

// NothingManaged says that there is nothing to compare with the log of the service.
func NothingManaged(resources int, info auditlog.Info) Problem {
	p := Problem{
		Summary: FindDrift,
		Cause:   "What was given says of no resource that Terraform manages it.",
		Next:    "Give a plan or a state that holds resources; a plan before the first apply holds none.",
	}.With("Service", info.Name)

	if resources > 0 {
		p.Cause = "None of the resources is of the cloud whose log is read."
		p.Next = "Read the log of the cloud that the resources are of, by {service}."
		p = p.With("Resources", strconv.Itoa(resources))
	}

	return p
}

// Drift explains what a comparison ended with.
func Drift(err error, info auditlog.Info, w auditlog.Window) Problem {
	in := Circumstances{Summary: "Read " + LogOf(info), Info: info, Window: w}

	if unmatchable := (*drift.UnmatchableError)(nil); errors.As(err, &unmatchable) {
		p := Problem{
			Summary: FindDrift,
			Cause:   Textf("The log has no %s, by which resources would be found.", unmatchable.Field),
			Next:    "Read a log that records it.",
		}
		if unmatchable.Redacted {
			p.Cause = Textf("The log holds %s in redacted form, by which resources would be found.", unmatchable.Field)
			p.Next = "Read a log in which it is not redacted, such as that of the cloud itself."
		}

		return p.With("Service", info.Name)
	}

	if condition := (*drift.ConditionError)(nil); errors.As(err, &condition) {
		in.Summary = FindDrift

		return Error(condition.Err, in).At(Argument("pipeline").Part("where"))
	}

	if many := (*drift.TooManyError)(nil); errors.As(err, &many) {
		return Problem{
			Summary: FindDrift,
			Cause:   "More was created outside of Terraform than can be listed.",
			Next:    "Shorten the window, or say with {pipeline} who else creates things on purpose.",
		}.With("Service", info.Name).With("At most", strconv.Itoa(many.Most))
	}

	if large := (*drift.TooLargeError)(nil); errors.As(err, &large) {
		return Problem{
			Summary: FindDrift,
			Cause:   "What was done outside of Terraform takes more memory than it may.",
			Next:    "Shorten the window, or say with {pipeline} who else changes things on purpose.",
		}.With("Service", info.Name).With("At most", strconv.Itoa(large.Most)+" bytes")
	}

	return Reading(err, in)
}

// NoPipeline says that it is not known who Terraform is.
func NoPipeline() Problem {
	return Problem{
		Summary: "Nobody is named as the pipeline",
		Cause:   "Without knowing who Terraform is, what it did itself counts as done by hand.",
		Next:    "Say with {pipeline} who runs Terraform: its actors, its addresses, or a condition.",
	}.AsWarning()
}

// Drifted names what a comparison with one log does not show. Given says that it is known who Terraform is.
func Drifted(info auditlog.Info, r *drift.Result, given bool) Problems {
	var found Problems

	if given && r.ByPipeline == 0 && r.Entries > 0 && len(r.Chosen) == 0 {
		found.Add(Problem{
			Summary: "The pipeline did nothing within the window",
			Cause:   "No entry meets what is said of the pipeline, so that it may be misspelt, and everything counts as done by hand.",
			Next:    "Compare {pipeline} with the actors, addresses and types of authentication in the log.",
		}.With("Service", info.Name).With("Window", r.Completeness.Window.String()).AsWarning().At(Argument("pipeline")))
	}

	for _, name := range slices.Sorted(maps.Keys(r.Chosen)) {
		p := Problem{
			Summary: "The pipeline is named as anybody could be",
			Cause:   "Entries would have counted as the pipeline's by a name that is not unique, such as the description of an API token, and count as done by hand.",
			Next:    "Name the actor by its id.",
		}.With("Service", info.Name).With("Name", Shown(name)).With("Ids", strings.Join(r.Chosen[name], ", "))

		found.Add(p.AsWarning().At(Argument("pipeline").Part("actors")))
	}

	for _, name := range slices.Sorted(maps.Keys(r.Trusted)) {
		p := Problem{
			Summary: "The pipeline is known by what anybody can choose",
			Cause:   "The condition of the pipeline looks at a name that is not unique, such as the description of an API token, and entries count as the pipeline's by it.",
			Next:    "Make sure that all of the ids are Terraform's, or name it by entry.actor_id.",
		}.With("Service", info.Name).With("Name", Shown(name)).With("Ids", strings.Join(r.Trusted[name], ", "))

		found.Add(p.AsWarning().At(Argument("pipeline").Part("where")))
	}

	if c := &r.Completeness; c.UnknownMatters {
		found.Add(unknownInDrift(info, c.UnknownActions))
	}

	found.Add(outsideOfWindow(info, r)...)
	found.Add(unmatched(info, r)...)

	if r.Unattributed > 0 {
		found.Add(Problem{
			Summary: "Entries do not say what they are about",
			Cause:   "There are entries that change something and name nothing that a resource could be found by, or what no resource is called, which may be one that was renamed.",
			Next:    "Look at them: they may be about resources for which nothing is shown.",
		}.With("Service", info.Name).With("Entries", strconv.FormatInt(r.Unattributed, 10)).AsWarning())
	}

	if r.Former > 0 {
		found.Add(Problem{
			Summary: "Things that no state holds were changed by hand",
			Cause:   "There are things that both people and the pipeline worked on, and that are in no state that was given.",
			Next:    "Look at them: Terraform may have made a new one in place of one that was changed by hand, or the state that holds them was not given.",
		}.With("Service", info.Name).With("Things", strconv.FormatInt(r.Former, 10)).
			With("Such as", Shown(strings.TrimSpace(r.FormerExample.ResourceType+" "+r.FormerExample.ResourceID))).AsWarning())
	}

	if r.Matched == 0 && r.ByPipeline > 0 {
		found.Add(Problem{
			Summary: "The pipeline works on other things than was given",
			Cause:   "No entry is about any of the resources, though the pipeline did something: the state may be that of another workspace or account.",
			Next:    "Compare the state that was given with the log.",
		}.With("Service", info.Name).With("Resources", strconv.FormatInt(r.Resources, 10)).
			With("Entries of the pipeline", strconv.FormatInt(r.ByPipeline, 10)).AsWarning())
	}

	return found
}

// outsideOfWindow says that the window cannot hold all that a plan may have seen.
func outsideOfWindow(info auditlog.Info, r *drift.Result) Problems {
	var found Problems

	w := r.Completeness.Window
	made := func(s *drift.Seen) string { return auditlog.FormatTime(s.At) }

	for _, row := range slices.Concat(r.Unexplained, r.Changed, r.Deleted) {
		switch s := row.Seen; {
		case s == nil || s.At.IsZero():
			continue
		case s.At.Before(w.Start):
			found.Add(Problem{
				Summary: "The plan is older than the window",
				Cause:   "What Terraform saw change was done before the window begins.",
				Next:    "Begin the window before the plan was made, by {start}, or make a new plan.",
			}.With("Service", info.Name).With("Plan made", made(s)).With("Window", w.String()).AsWarning())
		case s.At.After(w.End):
			found.Add(Problem{
				Summary: "The plan is newer than the window",
				Cause:   "What Terraform saw change may have been done after the window ends.",
				Next:    "Leave {end} out, or let the window end after the plan was made.",
			}.With("Service", info.Name).With("Plan made", made(s)).With("Window", w.String()).AsWarning())
		default:
			continue
		}

		break
	}

	return found
}

// unknownInDrift says what actions mean for a comparison that nobody knows.
func unknownInDrift(info auditlog.Info, actions []string) Problem {
	p := unknownActionsProblem(info, actions)
	p.Cause = "There are actions of which it is not known what they mean, so that they may have created something that no state holds, or be what the condition of the pipeline looks for by operation."
	p.Next = "Look at the entries with these actions, such as by auditlog query."

	return p.AsWarning()
}

// unmatched names the resources of the cloud that may have been changed without showing, and those of others.
func unmatched(info auditlog.Info, r *drift.Result) Problems {
	var found Problems

	uncertain := Problem{
		Summary: "Resources cannot be told from the log for certain",
		Cause:   "There are resources for which finding nothing does not mean that nothing happened.",
		Next:    "Take it into account: Terraform itself notices when they change.",
	}.With("Service", info.Name)

	elsewhere := Problem{
		Summary: "Resources are not of the log that is read",
		Cause:   "There are resources of other clouds, of which this log says nothing.",
		Next:    "Compare them with the logs of their own clouds, where there are such.",
	}.With("Service", info.Name)

	by := map[drift.Reason][]drift.Unmatched{}

	for _, u := range r.Unmatched {
		by[u.Reason] = append(by[u.Reason], u)
	}

	// What is of no cloud of ours is in the result, and is no reason to look anywhere.
	delete(by, drift.ForeignProvider)

	for _, reason := range slices.Sorted(maps.Keys(by)) {
		types, example := make([]string, 0, len(by[reason])), by[reason][0].Example
		for _, u := range by[reason] {
			types = append(types, strconv.Itoa(u.Count)+" × "+u.Type)
		}

		name, text := Plain(strings.TrimSuffix(reason.Text(), ".")), strings.Join(types, ", ")+", such as "+example

		if reason == drift.OtherService {
			elsewhere = elsewhere.With(name, text)
		} else {
			uncertain = uncertain.With(name, text)
		}
	}

	_, others := by[drift.OtherService]

	if len(by) > 1 || len(by) == 1 && !others {
		found.Add(uncertain.AsWarning())
	}

	if others {
		found.Add(elsewhere.AsWarning())
	}

	return found
}

// PipelineNever says that nothing can be the pipeline's, since the log never has what it would be known by.
func PipelineNever(name, field string, info auditlog.Info) Problem {
	reason := "never records"
	if slices.Contains(info.Redacted, field) {
		reason = "holds in redacted form what would be"
	}

	return Problem{
		Summary: CheckQuery,
		Cause:   Textf("%s %s %s, so that nothing would count as the pipeline's.", info.Title, reason, field),
		Next:    "Say in another way who runs Terraform.",
	}.With("Service", info.Name).At(Argument("pipeline").Part(name))
}

// PipelineInPart says that some of what the pipeline did counts as done by hand, since redaction took away what tells
// that it was the pipeline.
func PipelineInPart(name, field string, info auditlog.Info) Problem {
	return Problem{
		Summary: "The pipeline cannot be told in all entries",
		Cause:   Textf("Some entries hold in redacted form what would be %s, and count as done by hand.", field),
		Next:    "Say in another way who runs Terraform, or let the window begin where the entries are not redacted.",
	}.With("Service", info.Name).AsWarning().At(Argument("pipeline").Part(name))
}

// NoSuchResource says that nothing of the name is in the states.
func NoSuchResource(address string, known []string) Problem {
	p := Problem{
		Summary: ExplainResource,
		Cause:   "There is no resource of this address in the states that were given.",
		Next:    "Give an address as terraform state list prints it, in single quotes where a shell reads it, or the id of the resource.",
	}.With("Address", Shown(address))

	if meant := addressesMeant(address, known); len(meant) > 0 {
		p = p.With("Did you mean", strings.Join(meant, ", "))
	}

	return p
}

// Doubtful says why the log may not show what was done to a resource.
func Doubtful(reason drift.Reason) Problem {
	return Problem{
		Summary: "The log may not tell what was done to the resource",
		Cause:   Plain(reason.Text()),
		Next:    "Look at the resource in the cloud as well.",
	}.AsWarning()
}

// mostMeant is how many addresses are proposed.
const mostMeant = 5

// addressesMeant are what can have been meant by an address: the instances of a resource, what is in a module, a
// resource in a module that was left out, or else what is written nearly so.
func addressesMeant(address string, known []string) []string {
	var meant []string

	for _, k := range known {
		if strings.HasPrefix(k, address+"[") || strings.HasPrefix(k, address+".") || strings.HasSuffix(k, "."+address) {
			meant = append(meant, k)
		}
	}

	if len(meant) > mostMeant {
		return append(meant[:mostMeant:mostMeant], strconv.Itoa(len(meant)-mostMeant)+" more")
	}

	if nearest := auditlog.Nearest(address, known); len(meant) == 0 && nearest != "" {
		meant = append(meant, nearest)
	}

	return meant
}
