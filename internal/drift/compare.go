// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Options say what is held against the log.
type Options struct {
	Resources []Resource
	Pipeline  Pipeline
	// AsOf is when the states were written, by which things of the same name are told apart.
	AsOf time.Time
}

// MostCreated is how many things may exist at a time that were created by hand.
const MostCreated = 100_000

// TooManyError says that more was created by hand than can be remembered.
type TooManyError struct{ Most int }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("more than %d things were created outside of Terraform and are still there", e.Most)
}

// MostHeld is how many bytes what was done by hand may take, with what fields had before it: it is held in memory.
const MostHeld = 256 << 20

// TooLargeError means that what was done by hand takes more memory than it may.
type TooLargeError struct{ Most int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("what was done outside of Terraform takes more than %d bytes", e.Most)
}

// UnmatchableError says that the log does not have what resources are found by.
type UnmatchableError struct {
	Field string
	// Redacted says that it was taken out of the log.
	Redacted bool
}

func (e *UnmatchableError) Error() string {
	return "the log has no " + e.Field + " that resources could be found by"
}

// Compare holds the resources against what the query asks for, in one reading from the oldest entry to the newest. The
// query is to have no filters: what the pipeline did, and what was deleted since, has to be seen as well. Memory grows
// with the number of resources, and of things that were created by hand and exist, but not with that of entries.
func Compare(ctx context.Context, s auditlog.Service, q auditlog.Query, o Options) (*Result, error) {
	info, err := auditlog.Inspected(ctx, s)
	if err != nil {
		return nil, err
	}

	c, err := Begin(info, &q, o)
	if err != nil {
		return nil, err
	}

	done, err := auditlog.ReadAll(ctx, s, q, c.Take)
	if err != nil {
		return nil, err
	}

	return c.End(done), nil
}

// Begin is Compare for whoever reads the log for other reasons as well: the comparison is to be given every entry that
// the query brings, of which it says here what it needs, and then the statement of the reading.
func Begin(info auditlog.Info, q *auditlog.Query, o Options) (*Comparison, error) {
	field, err := matchField(info)
	if err != nil {
		return nil, err
	}

	q.Needs = append(append(slices.Clone(q.Needs), o.Pipeline.Needs()...), "actor", field)
	if o.Pipeline.Where != nil {
		q.Conditions = append(slices.Clone(q.Conditions), o.Pipeline.Where)
	}

	return newComparison(info, o), nil
}

// matchField is the field that resources are found by in the log.
func matchField(info auditlog.Info) (string, error) {
	fields := map[string][]string{
		auditlog.ServiceUpCloud: {auditlog.FieldResourceID}, auditlog.ServiceCloudscale: {fieldName},
	}[info.Cloud()]

	if fields == nil {
		fields = []string{auditlog.FieldResourceID, fieldName}
	}

	for _, field := range fields {
		if info.Records(field) {
			return field, nil
		}
	}

	return "", &UnmatchableError{Field: fields[0], Redacted: slices.Contains(info.Redacted, fields[0])}
}

const fieldName = "resource_name"

// key is by what a thing of the log is known.
type key struct{ service, kind, text string }

// idKey is the key of an id. One that others can have is that of its type only.
func idKey(service, logType, id string) key {
	id = strings.ToLower(auditlog.Normal(id))
	if isUUID(id) {
		logType = ""
	}

	return key{service, "id " + normalType(logType), id}
}

func nameKey(service, logType, name string) key {
	return key{service, "name " + normalType(logType), auditlog.Normal(name)}
}

// place is a resource, with what is known of how it is found in the log.
type place struct {
	resource Resource
	kind     Kind
	match    Match
	subject  *subject
	// reason is why it is not found for certain, "" where it is.
	reason Reason
}

// Comparison is a Compare under way.
type Comparison struct {
	o        Options
	info     auditlog.Info
	places   []*place
	subjects map[key]*subject
	// managed are the subjects that are resources themselves, and not only hold some.
	managed map[*subject]bool
	// created are the things that were created by hand and exist, by what they are known by. Of things that have names
	// only, those that the pipeline created are among them: another one can have the name.
	created map[key]*creation
	unknown map[string]bool
	chosen  map[string]map[string]bool
	// held is how many bytes subjects and created hold.
	held   int
	result *Result
}

// creation is a thing that was created, or several of one name.
type creation struct {
	// event is the first that was done by hand, nil where none was.
	event *Event
	match Match
	// count is how many there are. Where it was more than one, which of them is left is not known.
	count     int
	ambiguous bool
	// held is how many bytes it holds.
	held int
}

func newComparison(info auditlog.Info, o Options) *Comparison {
	c := &Comparison{
		o: o, info: info, subjects: map[key]*subject{}, managed: map[*subject]bool{}, created: map[key]*creation{},
		unknown: map[string]bool{}, chosen: map[string]map[string]bool{},
		result: &Result{Resources: int64(len(o.Resources)), AsOf: o.AsOf},
	}

	names := map[key]int{}

	for _, r := range o.Resources {
		p := &place{resource: r}
		c.places = append(c.places, p)
		c.find(p, names)
	}

	// Names that several resources have tell none of them from the others.
	for _, p := range c.places {
		if p.match == ByName && names[nameKey(p.kind.Service, logTypeOf(p), p.resource.Name)] > 1 {
			p.reason = AmbiguousName
		}
	}

	return c
}

// find says by what a resource is found.
func (c *Comparison) find(p *place, names map[key]int) {
	kind, known := KindOf(p.resource.Type)
	if p.kind = kind; !known {
		p.reason = ForeignProvider

		return
	}

	if p.kind.Service != c.info.Cloud() {
		p.reason = OtherService

		return
	}

	if !p.kind.certain() {
		p.reason = NotInLog
	}

	id := p.resource.ID

	switch p.match = p.kind.Match; {
	case p.match == ByName, id == "" && c.info.Cloud() == auditlog.ServicePodStack:
		if p.match = ByName; p.resource.Name == "" {
			p.reason = NoName

			return
		}

		k := nameKey(p.kind.Service, logTypeOf(p), p.resource.Name)
		names[k]++
		p.subject = c.subject(k, true)
		c.managed[p.subject] = true
	case id == "":
		p.reason = NoID
	case p.match == ByContainer:
		id, _, _ = strings.Cut(id, "/")
		p.subject = c.subject(idKey(p.kind.Service, p.kind.LogTypes[0], id), false)
	case !p.kind.certain() && !isUUID(id) && c.info.Cloud() != auditlog.ServicePodStack:
		// Another thing could have the id.
	default:
		p.subject = c.subject(idKey(p.kind.Service, logTypeOf(p), id), false)
		c.managed[p.subject] = true
	}
}

// logTypeOf is the type that the log has for a resource, or is expected to have.
func logTypeOf(p *place) string {
	if p.kind.certain() {
		return p.kind.LogTypes[0]
	}

	_, t, _ := strings.Cut(p.resource.Type, "_")

	return t
}

func (c *Comparison) subject(k key, named bool) *subject {
	s := c.subjects[k]
	if s == nil {
		s = &subject{named: named, asOf: c.o.AsOf}
		c.subjects[k] = s
	}

	return s
}

// looks are the operations that change nothing.
var looks = []auditlog.Operation{
	auditlog.OperationRead, auditlog.OperationLogin, auditlog.OperationLoginFailed, auditlog.OperationLogout,
	auditlog.OperationExport,
}

// Take takes the next entry, of which it keeps nothing that the next one overwrites.
func (c *Comparison) Take(e *auditlog.Entry) error {
	c.result.Entries++

	if slices.Contains(looks, e.Operation) {
		return nil
	}

	piped, chosen, err := c.o.Pipeline.did(e, c.info)
	if err != nil {
		return err
	}

	if piped {
		c.result.ByPipeline++
	}

	if chosen {
		c.choose(e)
	}

	k, match, ok := keyOfEntry(e)
	if !ok {
		if !piped && !slices.Contains(unmanageable[e.Service], e.ResourceType) {
			c.result.Unattributed++
			c.wonder(e)
		}

		return nil
	}

	s := c.subjects[k]
	if s == nil && match == ByID && e.ResourceName != "" {
		// Known by its name are only things of which no id is known.
		s = c.subjects[nameKey(e.Service, e.ResourceType, e.ResourceName)]
	}

	if s != nil {
		before := s.held
		s.take(e, piped)

		return c.hold(s.held - before)
	}

	if !piped {
		c.wonder(e)
	}

	return c.takeOther(k, match, e, piped)
}

// hold counts bytes that are held from now on, or fewer than none of them.
func (c *Comparison) hold(more int) error {
	if c.held += more; c.held > MostHeld {
		return &TooLargeError{MostHeld}
	}

	return nil
}

// keyOfEntry is by what the thing is known that an entry does something to, and false where the entry does not say.
func keyOfEntry(e *auditlog.Entry) (key, Match, bool) {
	switch {
	case e.ResourceID != "":
		return idKey(e.Service, e.ResourceType, e.ResourceID), ByID, true
	case e.ResourceName != "":
		return nameKey(e.Service, e.ResourceType, e.ResourceName), ByName, true
	default:
		return key{}, "", false
	}
}

// wonder takes note of an action that nobody knows, done to something that is not managed: it may have created it.
func (c *Comparison) wonder(e *auditlog.Entry) {
	const most = 100

	if c.info.UnknownAction(e) && len(c.unknown) < most {
		c.unknown[e.Action] = true
	}
}

// choose takes note of a name that anybody could choose.
func (c *Comparison) choose(e *auditlog.Entry) {
	const most = 100

	if c.chosen[e.Actor] == nil {
		c.chosen[e.Actor] = map[string]bool{}
	}

	if e.ActorID != "" && len(c.chosen[e.Actor]) < most {
		c.chosen[e.Actor][e.ActorID] = true
	}
}

// takeOther takes an entry about something that is not managed. Whether a clone in UpCloud's log has the id of the new
// storage or of the one that was copied is not documented; either is told, as something that was created or changed.
func (c *Comparison) takeOther(k key, match Match, e *auditlog.Entry, piped bool) error {
	made := c.created[k]

	if e.Operation == auditlog.OperationDelete && made != nil {
		if made.count--; made.count == 0 {
			c.held -= made.held
			delete(c.created, k)
		}
	}

	if e.Operation != auditlog.OperationCreate || slices.Contains(unmanageable[e.Service], e.ResourceType) ||
		piped && match != ByName {
		return nil
	}

	if made == nil {
		if len(c.created) == MostCreated {
			return &TooManyError{MostCreated}
		}

		made = &creation{match: match, held: len(k.kind) + len(k.text) + entrySize}
		c.created[k] = made
		c.held += made.held
	}

	// An id is of one thing, however often its creation is told.
	if match == ByName || made.count == 0 {
		made.count++
	}

	made.ambiguous = made.ambiguous || made.count > 1

	if made.event == nil && !piped {
		made.event = &Event{Entry: *e}
		made.event.Raw = nil
		made.held += sizeOf(e)
		c.held += sizeOf(e)
	}

	return c.hold(0)
}

// End makes the result of what was read.
func (c *Comparison) End(done auditlog.Completeness) *Result {
	r := c.result

	for _, p := range c.places {
		c.report(p, &done)
	}

	for _, made := range c.created {
		if made.event == nil {
			continue
		}

		e := &made.event.Entry
		row := Row{
			Service: e.Service, ID: e.ResourceID, Name: e.ResourceName, Match: made.match, Events: []Event{*made.event},
			EventCount: 1, AfterState: e.Time.After(c.o.AsOf),
		}

		if made.ambiguous {
			row.Reason = AmbiguousName
		}

		r.Created = append(r.Created, row)
	}

	byAddress := func(a, b Row) int { return cmp.Compare(a.Address, b.Address) }
	slices.SortStableFunc(r.Changed, byAddress)
	slices.SortStableFunc(r.Deleted, byAddress)
	slices.SortStableFunc(r.Unexplained, byAddress)
	slices.SortFunc(r.Created, func(a, b Row) int {
		return auditlog.Compare(&a.Events[0].Entry, &b.Events[0].Entry)
	})
	slices.SortFunc(r.Unmatched, func(a, b Unmatched) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Type, b.Type))
	})

	if len(c.unknown) > 0 {
		done.UnknownActions = slices.Sorted(maps.Keys(c.unknown))
		done.UnknownMatters = true
	}

	if len(c.chosen) > 0 {
		r.Chosen = map[string][]string{}
		for name, ids := range c.chosen {
			r.Chosen[name] = slices.Sorted(maps.Keys(ids))
		}
	}

	r.Completeness = done

	return r
}

// report makes a row of what was done to a resource, where something was.
func (c *Comparison) report(p *place, done *auditlog.Completeness) {
	if p.subject != nil && p.subject.ambiguous && p.match == ByName {
		p.reason = AmbiguousName
	}

	if p.reason != "" {
		c.count(p)
	}

	row, r := c.row(p), c.result
	s := p.subject
	saw := p.resource.Seen != nil

	switch {
	case p.reason == ForeignProvider:
		// Whatever was done to it, it is not in this log, nor in any that can be read.
	case p.reason == AmbiguousName && (saw || s.byHand > 0):
		row.Reason = AmbiguousName
		r.Unexplained = append(r.Unexplained, row)
	case s == nil || s.byHand == 0:
		if saw {
			row.Reason = c.unexplained(p, done)
			r.Unexplained = append(r.Unexplained, row)
		}
	case p.match == ByContainer && !saw && c.managed[s]:
		// It is told of what holds it.
	case s.gone && s.goneByHand, p.match == ByContainer && saw && p.resource.Seen.Deleted:
		r.Deleted = append(r.Deleted, row)
	case saw && p.resource.Seen.Deleted:
		row.Reason = NoDeletion
		if s.gone {
			row.Reason = OnlyPipeline
		}

		r.Unexplained = append(r.Unexplained, row)
	default:
		r.Changed = append(r.Changed, row)
	}
}

func (c *Comparison) row(p *place) Row {
	row := Row{
		Address: p.resource.Address, Type: p.resource.Type, Service: p.kind.Service, ID: p.resource.ID,
		Name: p.resource.Name, Match: p.match, Seen: p.resource.Seen,
	}

	if s := p.subject; s != nil {
		row.Events, row.EventCount, row.Reverted = s.events, s.byHand, s.reverted()
	}

	return row
}

// unexplained says why nobody is known to have done what Terraform saw.
func (c *Comparison) unexplained(p *place, done *auditlog.Completeness) Reason {
	switch {
	case p.reason != "":
		return p.reason
	case p.subject != nil && p.subject.piped > 0:
		return OnlyPipeline
	case len(done.Gaps) > 0:
		return InGap
	case done.Retention > 0 &&
		(done.BeyondRetention || !done.Window.Start.After(done.Window.End.Add(-done.Retention))):
		return BeforeRetention
	default:
		return BeforeWindow
	}
}

// count counts a resource that is not found for certain.
func (c *Comparison) count(p *place) {
	for i := range c.result.Unmatched {
		if u := &c.result.Unmatched[i]; u.Reason == p.reason && u.Type == p.resource.Type {
			u.Count++

			return
		}
	}

	c.result.Unmatched = append(c.result.Unmatched, Unmatched{
		Reason: p.reason, Type: p.resource.Type, Count: 1, Example: p.resource.Address,
	})
}

// Merge puts what several plans and states hold together. A resource that is in several of them counts once.
func Merge(inventories ...*Inventory) []Resource {
	type same struct{ address, id string }

	var all []Resource

	known := map[same]int{}

	for _, inventory := range inventories {
		for _, r := range inventory.Resources {
			k := same{r.Address, strings.ToLower(r.ID)}
			if i, again := known[k]; again {
				if all[i].Seen == nil {
					all[i].Seen = r.Seen
				}

				continue
			}

			known[k] = len(all)
			all = append(all, r)
		}
	}

	return all
}
