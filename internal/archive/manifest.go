// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

const manifestVersion = 1

// Manifest describes one segment and binds it to all before it.
type Manifest struct {
	Version  int    `json:"manifest_version"`
	Sequence int64  `json:"sequence"`
	Service  string `json:"service"`
	// Source is whose log the archive is of, as far as any run so far could tell:
	// once the account is known, it stays. What the run that wrote the segment knew
	// stands in its entries.
	Source auditlog.Source `json:"source"`
	// Previous is the SHA-256 of the manifest before, "" in the first.
	Previous  string `json:"previous"`
	Tool      string `json:"tool"`
	WrittenAt string `json:"written_at"`

	Segment Segment `json:"segment"`
	// TotalCount is how many entries the archive holds, those of this segment
	// included.
	TotalCount int64 `json:"total_count"`

	// Start is how far back the archive goes.
	Start time.Time `json:"start"`
	// CoveredUntil is up to when everything has been archived once this segment
	// is; ReadUntil is the end of the run's window, which no entry archived so far
	// reaches. They are the same in a run's last segment.
	CoveredUntil time.Time `json:"covered_until"`
	ReadUntil    time.Time `json:"read_until"`
	// ClockSkewSeconds is how far the service's clock was ahead of the runner's; nil
	// where the service does not tell the time.
	ClockSkewSeconds *int64 `json:"clock_skew_seconds"`
	// Resume is where a cursor-paged log goes on after this segment.
	Resume *auditlog.Position `json:"resume"`
	// ResumedBy says how the run that wrote the segment found its place.
	ResumedBy ResumedBy `json:"resumed_by"`
	// Gap is what was lost before this segment, where that was accepted.
	Gap *Gap `json:"gap"`
	// OpenGaps are what the service could not show when the run ended, and may show
	// yet, from CoveredUntil on. Only the last segment of a run has them, and only
	// of a service that is a copy (auditlog.Info.Copy).
	OpenGaps []Gap `json:"open_gaps,omitempty"`

	Filters map[string][]string `json:"filters"`
	// Redaction says what was taken out of the entries, nil where nothing was.
	Redaction *export.Redaction `json:"redaction"`
}

// Segment is a file of entries.
type Segment struct {
	Key         string             `json:"key"`
	Bytes       int64              `json:"bytes"`
	SHA256      string             `json:"sha256"`
	Format      export.Format      `json:"format"`
	Compression export.Compression `json:"compression"`
	EntryCount  int64              `json:"entry_count"`
	First       EntryRef           `json:"first_entry"`
	Last        EntryRef           `json:"last_entry"`
}

// EntryRef names an entry.
type EntryRef struct {
	ID   string `json:"id"`
	Time string `json:"time"`
}

// ResumedBy says how a run found its place in the log.
type ResumedBy string

const (
	// ResumedFromStart means that it began at the archive's start.
	ResumedFromStart ResumedBy = "start"
	// ResumedByCursor means that the cloud's cursor was followed.
	ResumedByCursor ResumedBy = "cursor"
	// ResumedByOverlap means that a piece of the log was read again.
	ResumedByOverlap ResumedBy = "overlap"
	// ResumedByFallback means the same, since the cloud no longer accepted the cursor.
	ResumedByFallback ResumedBy = "overlap_after_lost_cursor"
)

// Gap is a span of time that can no longer be read.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// complete says that the segment is the last of a run that came to its end.
func (m *Manifest) complete() bool {
	return !m.CoveredUntil.Before(m.ReadUntil) || len(m.OpenGaps) > 0
}

func (m *Manifest) openGaps() []auditlog.Window {
	gaps := make([]auditlog.Window, 0, len(m.OpenGaps))
	for _, g := range m.OpenGaps {
		gaps = append(gaps, auditlog.Window{Start: g.From, End: g.To})
	}

	return gaps
}

func (m *Manifest) encode() ([]byte, Head, error) {
	var b bytes.Buffer

	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")

	if err := e.Encode(m); err != nil {
		return nil, Head{}, fmt.Errorf("encode %s: %w", manifestKey(m.Sequence), err)
	}

	return b.Bytes(), Head{Sequence: m.Sequence, SHA256: sum(b.Bytes())}, nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)

	return hex.EncodeToString(s[:])
}

// readManifest returns a manifest and what a head would say of it.
func (a *Archive) readManifest(ctx context.Context, sequence int64) (Head, *Manifest, error) {
	key := manifestKey(sequence)

	data, err := a.o.Store.Read(ctx, key, maxManifest)
	if err != nil {
		return Head{}, nil, err
	}

	m, err := parseManifest(data)
	if err != nil || m.Sequence != sequence {
		return Head{}, nil, fmt.Errorf("%w: %s is not a manifest of ours", ErrBroken, key)
	}

	return Head{Sequence: sequence, SHA256: sum(data)}, m, nil
}

func parseManifest(data []byte) (*Manifest, error) {
	m := &Manifest{}
	if err := exactjson.UnmarshalKnown(data, m); err != nil {
		return nil, fmt.Errorf("read a manifest: %w", err)
	}

	if m.Version != manifestVersion {
		return nil, fmt.Errorf("read a manifest: version %d is not known", m.Version)
	}

	return m, nil
}

// filtersOf writes a query's filters down, without its window.
func filtersOf(q auditlog.Query) map[string][]string {
	operations := make([]string, 0, len(q.Operations))
	for _, op := range q.Operations {
		operations = append(operations, string(op))
	}

	filters := map[string][]string{}

	for name, values := range map[string][]string{
		"actions": q.Actions, "operations": operations, "resource_types": q.ResourceTypes, "resource_ids": q.ResourceIDs,
		"actors": q.Actors, "origins": q.Origins, "ip_addresses": q.IPAddresses,
	} {
		if len(values) > 0 {
			filters[name] = values
		}
	}

	if q.Search != "" {
		filters["search"] = []string{q.Search}
	}

	if q.Where != nil {
		filters["where"] = []string{q.Where.String()}
	}

	return filters
}
