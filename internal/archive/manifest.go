// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

const manifestVersion = 2

// Manifest is a leaf of the log. It describes one segment, or says that there was
// nothing new, and binds that to all before it. It names no entry: whoever proves one
// shows its manifest.
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

	// Segment is nil where a run found nothing new.
	Segment *Segment `json:"segment"`
	// Supplement holds what is neither entries nor for everybody's eyes.
	Supplement Object `json:"supplement"`
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
	Resume *Resume `json:"resume"`
	// ResumedBy says how the run that wrote the segment found its place.
	ResumedBy ResumedBy `json:"resumed_by"`
	// Gap is what was lost before this segment, where that was accepted.
	Gap *Gap `json:"gap"`
	// OpenGaps are what the service could not show when the run ended, and may show
	// yet, from CoveredUntil on. Only the last segment of a run has them, and only
	// of a service that is filled later (auditlog.Info.FilledLater).
	OpenGaps []Gap `json:"open_gaps,omitempty"`

	Filters map[string][]string `json:"filters"`
	// Redaction says what was taken out of the entries, nil where nothing was.
	Redaction *redact.Statement `json:"redaction"`
	// Files are what lies beside the log, in the first manifest.
	Files []Object `json:"files,omitempty"`

	// text is what was read or written: the leaf of the log.
	text []byte
}

// Object is an object of an archive.
type Object struct {
	Key    string `json:"key"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// is says whether the bytes are the object's.
func (o Object) is(data []byte) bool { return int64(len(data)) == o.Bytes && sum(data) == o.SHA256 }

func objectOf(key string, data []byte) Object {
	return Object{Key: key, Bytes: int64(len(data)), SHA256: sum(data)}
}

// Resume is an auditlog.Position without what can grow, which the supplement has.
type Resume struct {
	Link  string    `json:"link"`
	Since time.Time `json:"since"`
}

// Segment is a file of entries.
type Segment struct {
	Object

	Format      format.Format      `json:"format"`
	Compression format.Compression `json:"compression"`
	EntryCount  int64              `json:"entry_count"`
	// From and Until are whole minutes around the times of the entries: none is before
	// From, none at Until or after it.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// EntriesRoot is the Merkle root of the entries, in hexadecimal; see entryLeaf.
	EntriesRoot string `json:"entries_root"`
}

// Supplement is what lies beside a segment, under a key that holds its hash, which
// makes it as certain as its manifest. Whoever has it can test guesses: with the secret,
// of what entries say, and with the ordinals, of what records were before redaction.
type Supplement struct {
	// Secret makes the salts of the segment's entries, base64.
	Secret []byte `json:"secret"`
	// First and Last are the oldest and the newest entry, nil where there is none.
	First *EntryRef `json:"first_entry"`
	Last  *EntryRef `json:"last_entry"`
	// Ordinals are those of auditlog.Position.
	Ordinals map[string]int `json:"ordinals"`
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

// key is where the manifest lies.
func (m *Manifest) key() string { return manifestKey(m.Sequence, m.text) }

// keys are those of the manifest and of what it names.
func (m *Manifest) keys() []string {
	keys := []string{m.key(), m.Supplement.Key}
	if m.Segment != nil {
		keys = append(keys, m.Segment.Key)
	}

	return keys
}

// head is the manifest as the last one of an archive; nil is that of one without any.
func (m *Manifest) head() Head {
	if m == nil {
		return Head{}
	}

	return Head{Sequence: m.Sequence, SHA256: sum(m.text)}
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

// position is where a cursor-paged log goes on, nil where that is not known.
func (m *Manifest) position(s *Supplement) *auditlog.Position {
	if m.Resume == nil {
		return nil
	}

	return &auditlog.Position{Link: m.Resume.Link, Since: m.Resume.Since, Ordinals: s.Ordinals}
}

// ErrTooLong means that a manifest is larger than the log has room for.
var ErrTooLong = errors.New("the archive's description of itself is too long")

func (m *Manifest) encode() ([]byte, error) {
	data, err := exactjson.Marshal(m, "  ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest %d: %w", m.Sequence, err)
	}

	if len(data) > maxManifest {
		return nil, fmt.Errorf("%w: it has %d bytes, and %d is the most", ErrTooLong, len(data), maxManifest)
	}

	m.text = data

	return data, nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)

	return hex.EncodeToString(s[:])
}

const (
	manifestsPrefix   = "manifests/"
	supplementsPrefix = "supplements/"
)

// hashedName is the beginning of a key's last part: the number of the manifest that it
// belongs to, and a part of its own hash.
func hashedName(sequence int64, sha256 string) string {
	const hashLength = 16

	return fmt.Sprintf("%08d-%s", sequence, sha256[:hashLength])
}

func manifestKey(sequence int64, data []byte) string {
	return manifestsPrefix + hashedName(sequence, sum(data)) + ".json"
}

func supplementKey(sequence int64, data []byte) string {
	return supplementsPrefix + hashedName(sequence, sum(data)) + ".json"
}

// manifestName is what errors call a manifest.
func manifestName(sequence int64) string { return fmt.Sprintf("manifest %d", sequence) }

func manifestFault(text []byte, sequence int64, what string) error {
	return &Problem{FindingAltered, manifestKey(sequence, text), sequence, manifestName(sequence) + " " + what}
}

// parseManifest reads the manifest of a number. What later versions add is left alone.
func parseManifest(data []byte, sequence int64) (*Manifest, error) {
	m := &Manifest{text: data}
	if err := exactjson.Unmarshal(data, m); err != nil {
		return nil, manifestFault(data, sequence, "cannot be read: "+err.Error())
	}

	switch {
	case m.Version != manifestVersion:
		return nil, manifestFault(data, sequence, fmt.Sprintf("is of version %d, which is not known", m.Version))
	case m.Sequence != sequence:
		return nil, manifestFault(data, sequence, fmt.Sprintf("says that it is manifest %d", m.Sequence))
	default:
		return m, nil
	}
}

// wrong says what no run could have written into the manifest, "" where there is nothing.
func (m *Manifest) wrong() string {
	s := m.Segment

	switch {
	case slices.ContainsFunc(m.Files, func(o Object) bool { return o.Key != readmeKey && o.Key != durable.AttributesKey }):
		return "names a file beside the log that no archive has"
	case !strings.HasPrefix(m.Supplement.Key, supplementsPrefix+numbered(m.Sequence)):
		return "names a supplement that is not its own"
	case s == nil:
		return ""
	case !isSegmentOf(s.Key, m.Sequence), durable.CheckKey(s.Key) != nil:
		return "names a segment that is not its own"
	case !s.From.Before(s.Until), !strings.HasPrefix(s.Key, partition(m.Service, s.From)),
		!strings.HasPrefix(s.Key, partition(m.Service, s.Until.Add(-1))):
		return "names times that are not of its segment's day"
	case s.EntryCount < 1, s.EntryCount > segmentEntries:
		return "counts entries as no segment can hold them"
	default:
		return ""
	}
}
