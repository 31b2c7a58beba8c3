// SPDX-License-Identifier: MPL-2.0

// Package podstack reads the audit log of PodStack from the CSV files that its
// console exports, since it documents no API for it.
//
// What the columns are called is not documented either, so they are told by their
// headers, and by a mapping where that is not enough. Every file is read through
// and checked before anything of it is used; then the rows of all of them are put
// into the order of time, and what was exported twice is dropped.
package podstack

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// DefaultRetention is how long entries are kept for standard accounts; see
// design/api-facts.md §3.
const DefaultRetention = 90 * 24 * time.Hour

// Options says what to read.
type Options struct {
	// Exports are paths or patterns as of path/filepath.
	Exports []string
	// Columns maps ColumnNames to headers and wins over what headers look like.
	Columns map[string]string
	// Ignored are the headers of columns that are to become nothing.
	Ignored []string
	// Retention of zero means DefaultRetention.
	Retention time.Duration
	// Account is what the user calls the account; the exports do not name it.
	Account string
	Clock   auditlog.Clock
}

// Service is the audit log that a set of exports holds.
type Service struct {
	o      Options
	info   auditlog.Info
	limits limits
	// find returns the exports.
	find func() ([]source, error)
}

// New returns the service. No file is opened before something is read.
func New(o Options) *Service {
	s := &Service{o: o, info: Info(), limits: defaultLimits, find: func() ([]source, error) { return find(o.Exports) }}
	if o.Retention != 0 {
		s.info.Retention = o.Retention
	}

	s.info.Varies = false // Whoever reads the exports sees their columns.
	s.info.Source = auditlog.Source{Service: s.info.Name, Account: o.Account}

	return s
}

// Info is what is known of PodStack's exports without opening one. Which fields
// they record depends on their columns, so none is said never to be recorded.
func Info() auditlog.Info {
	return auditlog.Info{
		Name:        auditlog.ServicePodStack,
		Title:       "PodStack",
		Retention:   DefaultRetention,
		FilledLater: true,
		Varies:      true,
		Operations:  auditlog.OperationsIn(operations, auditlog.Verbs),
		OperationOf: OperationOf,
		KnowsAction: KnowsAction,
		Values: map[string]auditlog.Values{
			"action": {Form: labelForm, Open: true}, "resource_type": {Form: labelForm, Open: true},
			auditlog.FieldOrigin: {Form: labelForm, Open: true},
		},
		// People choose their display names.
		UniqueActor: func(e *auditlog.Entry) bool {
			a, err := mail.ParseAddress(e.Actor)

			return err == nil && a.Address == e.Actor && e.ActorType == auditlog.ActorUser && !displayed(e)
		},
		CredentialsHint: "Export the log from the PodStack console and name the files in the provider block: podstack = {{ exports = [\"exports/*.csv\"] }}.",
	}
}

// displayed says whether the actor stands in a column of display names, where
// somebody can have chosen what looks like an address.
func displayed(e *auditlog.Entry) bool {
	var cells map[string]any
	if json.Unmarshal(e.Raw, &cells) != nil {
		return false
	}

	for header, cell := range cells {
		if name := squeeze(header); cell == e.Actor && strings.Contains(name, "name") && !strings.Contains(name, "username") {
			return true
		}
	}

	return false
}

// Info implements auditlog.Service.
func (s *Service) Info() auditlog.Info { return s.info }

// Inspect is Info with the fields that none of the exports has a column for. It
// reads the exports through.
func (s *Service) Inspect(ctx context.Context) (auditlog.Info, error) {
	files, err := s.scan(ctx)
	if err != nil {
		return auditlog.Info{}, err
	}

	return s.infoOf(files...), nil
}

func (s *Service) infoOf(files ...*file) auditlog.Info {
	all := make([]*columns, 0, len(files))
	for _, f := range files {
		all = append(all, f.columns)
	}

	info := s.info
	info.NeverRecorded = neverRecorded(all...)

	// Whose log it is stands in no column.
	if s.o.Account != "" {
		info.NeverRecorded = slices.DeleteFunc(info.NeverRecorded,
			func(field string) bool { return field == auditlog.FieldAccount })
	}

	return info
}

// scan reads every export through.
func (s *Service) scan(ctx context.Context) ([]*file, error) {
	sources, err := s.find()
	if err != nil {
		return nil, err
	}

	return scanAll(ctx, sources, mapping{s.o.Columns, s.o.Ignored}, s.limits)
}

func scanAll(ctx context.Context, sources []source, m mapping, l limits) ([]*file, error) {
	if err := m.check(); err != nil {
		return nil, err
	}

	files := make([]*file, 0, len(sources))

	for _, src := range sources {
		f, err := scan(ctx, src, m, l)
		if err != nil {
			return nil, err
		}

		files = append(files, f)
	}

	if err := checkMapping(files, m.fields); err != nil {
		return nil, err
	}

	if err := checkIDs(files); err != nil {
		return nil, err
	}

	return files, checkOverlaps(files)
}

// check refuses a mapping that cannot be meant. A header that is ignored need not
// be there: the column that was meant is named all the same.
func (m mapping) check() error {
	ignored := map[string]bool{}
	for _, header := range m.ignored {
		ignored[sound(header)] = true
	}

	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		if !slices.Contains(ColumnNames(), name) {
			return &Error{
				Reason: fmt.Sprintf("The mapping names %q, which no column can become.", name),
				Next:   "Give one of " + strings.Join(ColumnNames(), ", ") + ".",
			}
		}

		if ignored[sound(m.fields[name])] {
			return &Error{
				Reason: fmt.Sprintf("The column that the mapping says is %s is ignored.", name),
				Next:   "Take it out of ignored_columns, or out of columns.",
			}
		}
	}

	return nil
}

// checkMapping refuses a header that no file has. One that some have is fine: a
// console changes over the years.
func checkMapping(files []*file, mapping map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(mapping)) {
		if len(files) == 0 || slices.ContainsFunc(files, func(f *file) bool { return f.columns.find(mapping[name]) >= 0 }) {
			continue
		}

		f := files[0]
		e := f.columns.problem(
			fmt.Sprintf("No export has the column that the mapping says is %s.", name),
			"Give a header as it is spelled in the exports.")
		e.File, e.Line = f.name, f.headerAt

		return e
	}

	return nil
}

// Read implements auditlog.Service. In the statement, pages are files and fetched
// rows those of all of them, so that rows outside of the window count as filtered
// out. A window that begins before the retention is beyond it only where no export
// covers its beginning: a file outlives the cloud's memory.
func (s *Service) Read(
	ctx context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, s.info.Retention, s.o.Clock())
	c.Source = s.info.Source

	return auditlog.Select(q, s.info, c, auditlog.ProofExports, s.pages(ctx, q, c))
}

func (s *Service) pages(
	ctx context.Context, q auditlog.Query, c *auditlog.Completeness,
) iter.Seq2[[]auditlog.Entry, error] {
	return func(yield func([]auditlog.Entry, error) bool) {
		files, err := s.scan(ctx)
		if err == nil {
			err = s.answerable(q, files)
		}

		if err != nil {
			yield(nil, err)

			return
		}

		c.Caveats = s.caveats(q, files)
		c.Pages = int64(len(files))
		c.Unread = unreadColumns(files, q.Window)
		c.Gaps = gaps(files, q.Window)
		c.BeyondRetention = c.BeyondRetention && len(c.Gaps) > 0 && c.Gaps[0].Start.Equal(q.Window.Start)

		for _, f := range files {
			c.RowsFetched += f.rows
		}

		inWindow := int64(0)

		for page, err := range pages(ctx, files, q.Window, s.limits, &inWindow, &c.DuplicatesDropped) {
			if !yield(page, err) || err != nil {
				return
			}
		}

		c.RowsFilteredOut += c.RowsFetched - inWindow
	}
}

// answerable refuses a filter on a field that an export with rows in the window
// has no column for: what it holds would never be found.
func (s *Service) answerable(q auditlog.Query, files []*file) error {
	if all := q.Unanswerable(s.infoOf(files...)); len(all) > 0 {
		return reworded(all[0], "None of the exports has a column for %s, so the filter would find nothing, whatever happened.")
	}

	for _, f := range files {
		if !f.reaches(q.Window) {
			continue
		}

		if all := q.Unanswerable(s.infoOf(f)); len(all) > 0 {
			return reworded(all[0], "The export "+strings.ReplaceAll(f.name, "%", "%%")+" has no column for %s, so the filter would find nothing in it, whatever happened.")
		}
	}

	return nil
}

// caveats names the exports that lack a column which the answer depends on and which
// others have. What none of them has, nothing was expected of.
func (s *Service) caveats(q auditlog.Query, files []*file) []string {
	never := s.infoOf(files...).NeverRecorded

	var all []string

	for _, f := range files {
		lacks := s.infoOf(f).NeverRecorded

		if missing := q.Missing(func(field string) bool {
			return slices.Contains(never, field) || !slices.Contains(lacks, field)
		}); f.reaches(q.Window) && len(missing) > 0 {
			all = append(all, fmt.Sprintf("The export %s has no column for %s, so what is asked of that finds nothing in it, whatever happened.",
				f.name, strings.Join(missing, ", ")))
		}
	}

	return all
}

// reaches says whether the span of the file's rows meets the window.
func (f *file) reaches(w auditlog.Window) bool {
	return f.rows > 0 && f.first.Before(w.End) && !f.last.Before(w.Start)
}

// reworded says what of the exports is missing.
func reworded(u *auditlog.UnanswerableError, reason string) error {
	fields := map[string]string{
		"actors": "actor", "ip_addresses": auditlog.FieldIPAddress, "origins": auditlog.FieldOrigin,
		"resource_ids": auditlog.FieldResourceID, "resource_types": "resource_type",
	}

	if field, ok := fields[u.Argument]; ok {
		return &auditlog.UnanswerableError{Argument: u.Argument, Index: u.Index, Reason: fmt.Sprintf(reason, field)}
	}

	return u
}

// FilterOptions reads the values off the exports.
func (s *Service) FilterOptions(ctx context.Context, q auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.Observe(ctx, s, q.Window)
}

// Parse reads the text of one export, oldest first. It also takes what
// audit_log_export wrote as CSV, of any cloud; apostrophes that it put before cells
// for the sake of spreadsheets stay. Since there is no statement to name columns in,
// one that looks like the actor and that nobody mapped is an error.
func Parse(ctx context.Context, text string, fields map[string]string) ([]auditlog.Entry, error) {
	src := source{anyService: true, open: func() (content, error) { return memory{strings.NewReader(text)}, nil }}

	files, err := scanAll(ctx, []source{src}, mapping{fields: fields}, defaultLimits)
	if err != nil {
		return nil, err
	}

	if err := files[0].checkActor(); err != nil {
		return nil, err
	}

	always := auditlog.Window{End: time.Unix(math.MaxInt32*1000, 0)}
	entries := []auditlog.Entry{}

	var rows, duplicates int64

	for page, err := range pages(ctx, files, always, defaultLimits, &rows, &duplicates) {
		if err != nil {
			return nil, err
		}

		entries = append(entries, page...)
	}

	return entries, nil
}

// memory is a text that needs no closing.
type memory struct{ *strings.Reader }

// Close implements io.Closer.
func (memory) Close() error { return nil }
