// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"cmp"
	"fmt"
	"hash/maphash"
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
	// AsOf is when the oldest of the states was written. Things of the same name are told apart by it, where resources
	// do not have a time of their own.
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

// Begin begins to hold resources against the entries that the query brings: all of them are to be given to Take, from
// the oldest to the newest, and then the statement of the reading to End. The query is told what is needed of it. It is
// to have no filters: what the pipeline did, and what was deleted since, has to be seen as well. Memory grows with the
// number of resources, and of things that were created by hand and exist, but not with that of entries.
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

// mostOthers is of how many things that are in no state it is remembered who worked on them.
const mostOthers = 1_000_000

// worked says who worked on a thing.
type worked uint8

const workedByHand, workedByPipeline worked = 1, 2

// place is a resource, with what is known of how it is found in the log.
type place struct {
	resource Resource
	kind     Kind
	match    Match
	subject  *subject
	// reason is why it is not found for certain, "" where it is.
	reason Reason
}

// Comparison holds resources against entries.
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
	// unnamed are the creations by hand of which the log does not say what was created.
	unnamed []Event
	// others says who worked on things that have ids and are in no state, by a hash of what they are known by.
	others  map[uint64]worked
	seed    maphash.Seed
	unknown map[string]bool
	// chosen and trusted are names that are not unique, with the ids of who has them.
	chosen, trusted map[string]map[string]bool
	// held is how many bytes subjects, created and unnamed hold.
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
		others: map[uint64]worked{}, seed: maphash.MakeSeed(), unknown: map[string]bool{},
		chosen: map[string]map[string]bool{}, trusted: map[string]map[string]bool{},
		result: &Result{Resources: int64(len(o.Resources)), AsOf: o.AsOf},
	}

	for _, r := range o.Resources {
		p := &place{resource: r}
		c.places = append(c.places, p)
		c.find(p)
	}

	c.findFormer()

	for _, s := range c.subjects {
		if s.asOf.IsZero() {
			s.asOf = o.AsOf
		}
	}

	return c
}

// findFormer says by what resources are found that had other names before. One that another resource has is not told
// from the name that both have had.
func (c *Comparison) findFormer() {
	for _, p := range c.places {
		former := p.resource.FormerName
		if p.match != ByName || p.subject == nil || former == "" || former == p.resource.Name {
			continue
		}

		k := nameKey(p.kind.Service, logTypeOf(p), former)

		switch s := c.subjects[k]; s {
		case nil:
			c.subjects[k] = p.subject
		case p.subject:
		default:
			s.ambiguous, p.subject.ambiguous = true, true
		}
	}
}

// find says by what a resource is found.
func (c *Comparison) find(p *place) {
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

		p.subject = c.subject(nameKey(p.kind.Service, logTypeOf(p), p.resource.Name), true)
		c.managed[p.subject] = true

		// Names that several resources have tell none of them from the others. One has the same id at all addresses.
		owner := cmp.Or(strings.ToLower(id), "at "+p.resource.Address)
		p.subject.ambiguous = p.subject.ambiguous || p.subject.owner != "" && p.subject.owner != owner
		p.subject.owner = owner

		if !p.resource.AsOf.IsZero() && (p.subject.asOf.IsZero() || p.resource.AsOf.After(p.subject.asOf)) {
			p.subject.asOf = p.resource.AsOf
		}
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
		s = &subject{named: named}
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

	if chosen && piped {
		choose(c.trusted, e)
	} else if chosen {
		choose(c.chosen, e)
	}

	k, match, ok := keyOfEntry(e)
	if !ok {
		if !piped && !slices.Contains(unmanageable[e.Service], e.ResourceType) {
			c.result.Unattributed++
			c.wonder(e)

			return c.takeUnnamed(e)
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
		// Whoever may have been the pipeline after all is no sign of a second thing.
		known := s.take(e, piped, c.o.Pipeline.given() && !chosen)

		if err := c.hold(s.held - before); err != nil || known {
			c.result.Matched++

			return err
		}
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

// takeUnnamed takes an entry by hand that does not say what it is about. That something was created is known all
// the same.
func (c *Comparison) takeUnnamed(e *auditlog.Entry) error {
	if e.Operation != auditlog.OperationCreate {
		return nil
	}

	if len(c.created)+len(c.unnamed) >= MostCreated {
		return &TooManyError{MostCreated}
	}

	event := Event{Entry: *e}
	event.Raw = nil
	c.unnamed = append(c.unnamed, event)

	return c.hold(sizeOf(e))
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
func choose(names map[string]map[string]bool, e *auditlog.Entry) {
	const most = 100

	if names[e.Actor] == nil && len(names) < most {
		names[e.Actor] = map[string]bool{}
	}

	if ids := names[e.Actor]; ids != nil && e.ActorID != "" && len(ids) < most {
		ids[e.ActorID] = true
	}
}

// chosen are names with the ids of who has them, sorted; nil where there are none.
func chosen(names map[string]map[string]bool) map[string][]string {
	if len(names) == 0 {
		return nil
	}

	all := map[string][]string{}
	for name, ids := range names {
		all[name] = slices.Sorted(maps.Keys(ids))
	}

	return all
}

// takeOther takes an entry about something that is not managed. Whether a clone in UpCloud's log has the id of the new
// storage or of the one that was copied is not documented; either is told, as something that was created or changed.
func (c *Comparison) takeOther(k key, match Match, e *auditlog.Entry, piped bool) error {
	made := c.created[k]

	if !slices.Contains(unmanageable[e.Service], e.ResourceType) {
		c.doubt(k, match, e, piped)
	}

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
		if len(c.created)+len(c.unnamed) >= MostCreated {
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

// doubt takes note of what may have been done to a resource all the same: under a name that no resource has, since one
// may have been renamed, whether or not there is something of that name; and to an id that no state has any more, since
// Terraform may have made the resource anew.
func (c *Comparison) doubt(k key, match Match, e *auditlog.Entry, piped bool) {
	if match == ByName {
		if !piped && e.Operation != auditlog.OperationCreate {
			c.result.Unattributed++
		}

		return
	}

	by := workedByHand
	if piped {
		by = workedByPipeline
	}

	hash := maphash.Comparable(c.seed, k)
	before, known := c.others[hash]

	switch {
	case known || len(c.others) < mostOthers:
		c.others[hash] = before | by
	case !piped:
		before = workedByPipeline // Nobody remembers; it may have been so.
	}

	if before != 0 && before|by == workedByHand|workedByPipeline && before != before|by {
		if c.result.Former++; c.result.Former == 1 {
			c.result.FormerExample = auditlog.Entry{Service: e.Service, ResourceType: e.ResourceType, ResourceID: e.ResourceID}
		}
	}
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

	for _, e := range c.unnamed {
		r.Created = append(r.Created, Row{
			Service: e.Service, Reason: Unnamed, Events: []Event{e}, EventCount: 1, AfterState: e.Time.After(c.o.AsOf),
		})
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

	r.Chosen, r.Trusted = chosen(c.chosen), chosen(c.trusted)

	r.Completeness = done

	return r
}

// mostPlanning is how long after its time a plan may still have seen what was done: it has the time at which it was
// begun, by another clock than the log's.
const mostPlanning = time.Hour

// report makes a row of what was done to a resource, where something was.
func (c *Comparison) report(p *place, done *auditlog.Completeness) {
	if p.match == ByName && p.subject != nil && (p.subject.ambiguous || p.outlived()) {
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
	case saw && s.explainsNot(p.resource.Seen.At):
		row.Reason = OtherTime
		r.Unexplained = append(r.Unexplained, row)
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

// outlived says whether a plan has the resource though something of its name was deleted before.
func (p *place) outlived() bool {
	r := &p.resource
	there := r.Planned && (r.Seen == nil || !r.Seen.Deleted)

	return there && p.subject.gone && r.AsOf.Sub(p.subject.goneAt) > auditlog.OrderMargin
}

func (c *Comparison) row(p *place) Row {
	row := Row{
		Address: p.resource.Address, Type: p.resource.Type, Service: p.kind.Service, ID: p.resource.ID,
		Name: p.resource.Name, Match: p.match, Seen: p.resource.Seen,
	}

	if p.resource.HiddenID {
		row.ID = ""
	}

	if p.resource.HiddenName {
		row.Name = ""
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
	var all []Resource

	known := map[string][]int{}

	for _, inventory := range inventories {
		for _, r := range inventory.Resources {
			r.AsOf = inventory.Written
			i := slices.IndexFunc(known[r.Address], func(i int) bool { return all[i].same(&r) })
			if i < 0 {
				known[r.Address] = append(known[r.Address], len(all))
				all = append(all, r)

				continue
			}

			all[known[r.Address][i]].join(&r)
		}
	}

	return all
}

// same says whether two resources of one address are the same: by their ids, or where one was given by its name only,
// by that.
func (r *Resource) same(other *Resource) bool {
	if r.ID != "" && other.ID != "" {
		return strings.EqualFold(r.ID, other.ID)
	}

	return r.Name == other.Name || r.ID == "" && r.Name == "" || other.ID == "" && other.Name == ""
}
