// SPDX-License-Identifier: MPL-2.0

// Package report writes entries as one HTML page for people who judge them: an auditor,
// a reviewer, somebody after an incident.
//
// The page needs nothing beside it. It loads nothing and sends nothing: its Content
// Security Policy allows the one style sheet and the one script that are in it, by their
// hashes. Without scripts the page is complete; the script only sorts and searches.
//
// A page is made in passes over the entries, since its first lines count what its last
// lines list: [Page.Encode] counts, and [Page.Close] writes. Memory does not grow with
// the number of entries.
package report

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// Subject is what a report is of. All of it is as it may be shown: whoever makes the
// report has redacted it.
type Subject struct {
	// Tool is who writes, such as "terraform-provider-audit/0.1.0".
	Tool string
	// MadeAt is when the report is made, ReadAt when the log was read, which is earlier
	// where the report is made of an export.
	MadeAt time.Time
	ReadAt time.Time
	// Zone is the time zone of all times on the page; nil is UTC.
	Zone *time.Location
	// File is the name of the report's own file, without its directory. The manifest and
	// the checksum file are beside it.
	File string

	// Info is what is known of the service, and Source whose log was read.
	Info   auditlog.Info
	Source auditlog.Source
	// Destination is the place of the archive that was read, and KeptAs the export; each
	// is empty where the report is not made of one.
	Destination string
	KeptAs      *Kept

	// Asked is what was asked for.
	Asked export.Asked
	// Completeness is the statement of the reading.
	Completeness auditlog.Completeness
	// Redaction is what was taken out of the entries, nil where nothing was.
	Redaction *redact.Statement
	// Result is what the rules found. Rules are the user's own, which Result.Findings
	// names.
	Result *finding.Result
	Rules  []finding.Rule
	// Builtins names the built-in rules that were held against the entries.
	Builtins []string
	// Drift is what was done by hand to what Terraform manages, nil where that was not asked.
	Drift *drift.Result
	// Pipeline says which entries counted as Terraform's own.
	Pipeline Pipeline
}

// Pipeline says who ran Terraform, as it may be shown: whoever meets the query, was authenticated in one of the ways
// and acted during one of the runs.
type Pipeline struct {
	Query     auditlog.Query
	AuthTypes []string
	Runs      []string
}

// Kept is an export that a report is made of.
type Kept struct {
	// Name is that of the data file, without its directory.
	Name string
	// SHA256 and ManifestSHA256 are those of the data and the manifest, in hexadecimal.
	SHA256         string
	ManifestSHA256 string
}

// ErrChanged means that a later pass over the entries did not bring as many as the first.
var ErrChanged = errors.New("the entries were not the same when they were read again")

// Page makes a report. It is a format.Encoder.
type Page struct {
	w       io.Writer
	subject *Subject
	again   func() iter.Seq2[auditlog.Entry, error]
	tally   *tally
}

var _ format.Encoder = (*Page)(nil)

// NewPage returns a page that is written to w when it is closed. Again yields the same
// entries once more that Encode has been given, in the same order.
func NewPage(w io.Writer, s *Subject, again func() iter.Seq2[auditlog.Entry, error]) *Page {
	return &Page{w: w, subject: s, again: again, tally: newTally(s)}
}

// Encode counts the entry.
func (p *Page) Encode(e *auditlog.Entry) error {
	p.tally.add(e)

	return nil
}

// Notes implements format.Encoder: a page shows texts, and is no copy of them.
func (p *Page) Notes() format.Notes { return format.Notes{} }

// Close writes the page.
func (p *Page) Close() error {
	out := newWriter(p.w, p.subject)

	if err := out.begin(newView(p.subject, p.tally)); err != nil {
		return err
	}

	if p.tally.notable > 0 {
		if err := p.list(out.entry, p.tally.notable, isNotable); err != nil {
			return err
		}
	}

	if err := out.middle(); err != nil {
		return err
	}

	if err := p.list(out.entry, p.tally.count, func(*auditlog.Entry) bool { return true }); err != nil {
		return err
	}

	return out.end()
}

// list writes the entries that are wanted, of which there have to be as many as were
// counted.
func (p *Page) list(write func(*row) error, count int64, wanted func(*auditlog.Entry) bool) error {
	var n int64

	zone := p.subject.zone()

	for e, err := range p.again() {
		if err != nil {
			return err
		}

		if !wanted(&e) {
			continue
		}

		if n++; n > count {
			break
		}

		r := newRow(&e, zone)
		if err := write(&r); err != nil {
			return err
		}
	}

	if n != count {
		return fmt.Errorf("%w: there were %d, and then %d", ErrChanged, count, n)
	}

	return nil
}

func (s *Subject) zone() *time.Location {
	if s.Zone == nil {
		return time.UTC
	}

	return s.Zone
}

// isNotable says whether an entry is listed by itself, whatever the rules say: something
// was deleted, or who may do what was changed.
func isNotable(e *auditlog.Entry) bool {
	return e.Operation == auditlog.OperationDelete || isPermission(e.Operation)
}

func isPermission(op auditlog.Operation) bool {
	return op == auditlog.OperationGrant || op == auditlog.OperationRevoke
}
