// SPDX-License-Identifier: MPL-2.0

package export

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// What the names of the files beside the data end in.
const (
	ManifestSuffix = durable.ManifestSuffix
	ChecksumSuffix = durable.ChecksumSuffix
)

const (
	manifestVersion = 1
	// manifestLimit is far above what a query with thousands of filter values
	// makes.
	manifestLimit = 16 << 20
)

// manifest says how the data came about. Its keys are a contract.
type manifest struct {
	ManifestVersion    int                `json:"manifest_version"`
	Tool               string             `json:"tool"`
	ExportedAt         string             `json:"exported_at"`
	Service            string             `json:"service"`
	Source             auditlog.Source    `json:"source"`
	Query              manifestQuery      `json:"query"`
	Window             manifestWindow     `json:"window"`
	Completeness       Statement          `json:"completeness"`
	Format             format.Format      `json:"format"`
	Compression        format.Compression `json:"compression"`
	Shape              format.Shape       `json:"shape"`
	Columns            []string           `json:"columns"`
	Redaction          *redact.Statement  `json:"redaction"`
	CSV                *format.CSVOptions `json:"csv"`
	SpreadsheetSafe    bool               `json:"spreadsheet_safe"`
	CellsNeutralised   int64              `json:"cells_neutralised"`
	CellsTooLong       int64              `json:"cells_too_long"`
	CharactersReplaced int64              `json:"characters_replaced"`
	EntryCount         int64              `json:"entry_count"`
	CountsByOperation  map[string]int64   `json:"counts_by_operation"`
	FirstEntry         *manifestEntry     `json:"first_entry"`
	LastEntry          *manifestEntry     `json:"last_entry"`
	Files              []manifestFile     `json:"files"`
}

// manifestQuery is the query under the names of Terraform's arguments, null
// where it asked for nothing.
type manifestQuery struct {
	Last        *string `json:"last"`
	Start       *string `json:"start"`
	End         *string `json:"end"`
	SettleDelay *string `json:"settle_delay"`

	Actions       []string             `json:"actions"`
	Operations    []auditlog.Operation `json:"operations"`
	ResourceTypes []string             `json:"resource_types"`
	ResourceIDs   []string             `json:"resource_ids"`
	Actors        []string             `json:"actors"`
	Origins       []string             `json:"origins"`
	IPAddresses   []string             `json:"ip_addresses"`
	Search        *string              `json:"search"`
	Where         *string              `json:"where"`
}

type manifestWindow struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type manifestEntry struct {
	ID   string `json:"id"`
	Time string `json:"time"`
}

type manifestFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func newManifestQuery(w QueryAsWritten, q auditlog.Query) manifestQuery {
	where := ""
	if q.Where != nil {
		where = q.Where.String()
	}

	return manifestQuery{
		Last: given(w.Last), Start: given(w.Start), End: given(w.End), SettleDelay: given(w.SettleDelay),
		Actions:       filter(q.Actions),
		Operations:    filter(q.Operations),
		ResourceTypes: filter(q.ResourceTypes),
		ResourceIDs:   filter(q.ResourceIDs),
		Actors:        filter(q.Actors),
		Origins:       filter(q.Origins),
		IPAddresses:   filter(q.IPAddresses),
		Search:        given(q.Search),
		Where:         given(where),
	}
}

func given(text string) *string {
	if text == "" {
		return nil
	}

	return &text
}

// filter makes a list that does not filter null, however it is empty.
func filter[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}

	return list
}

func newManifestEntry(e bound) *manifestEntry {
	if e.time.IsZero() {
		return nil
	}

	return &manifestEntry{ID: e.id, Time: auditlog.FormatTime(e.time)}
}

func (m *manifest) text() ([]byte, error) {
	text, err := exactjson.Marshal(m, "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the manifest: %w", err)
	}

	return text, nil
}

// window is the one that was read, zero where it cannot be told.
func (m *manifest) window() auditlog.Window {
	start, errStart := time.Parse(time.RFC3339Nano, m.Window.Start)
	end, errEnd := time.Parse(time.RFC3339Nano, m.Window.End)

	if errStart != nil || errEnd != nil {
		return auditlog.Window{}
	}

	return auditlog.Window{Start: start, End: end}
}

// firstTime is that of the oldest entry, zero where there is none or it cannot be told.
func (m *manifest) firstTime() time.Time {
	if m.FirstEntry == nil {
		return time.Time{}
	}

	t, err := time.Parse(time.RFC3339Nano, m.FirstEntry.Time)
	if err != nil {
		return time.Time{}
	}

	return t
}

// exportedAt is zero where it cannot be told.
func (m *manifest) exportedAt() time.Time {
	t, err := time.Parse(time.RFC3339Nano, m.ExportedAt)
	if err != nil {
		return time.Time{}
	}

	return t
}

// describes returns what the manifest says of the data file of that name.
func (m *manifest) describes(name string) (manifestFile, bool) {
	counted := int64(0)
	for _, n := range m.CountsByOperation {
		counted += n
	}

	if m.ManifestVersion < manifestVersion || m.Tool == "" || m.EntryCount != counted {
		return manifestFile{}, false
	}

	for _, f := range m.Files {
		if f.Name == name && f.SHA256 != "" {
			return f, true
		}
	}

	return manifestFile{}, false
}

// readManifest returns a manifest of ours and what it says of the data file of
// that name. Anything else in its place is no error: ours is false then.
func readManifest(path, name string) (m manifest, file manifestFile, ours bool, err error) {
	text, err := durable.Read(path, manifestLimit)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrTooLarge) {
		return manifest{}, manifestFile{}, false, nil
	}

	if err != nil {
		return manifest{}, manifestFile{}, false, err
	}

	if err := exactjson.Unmarshal(text, &m); err != nil {
		return manifest{}, manifestFile{}, false, nil //nolint:nilerr // Somebody else's file may hold anything.
	}

	file, ours = m.describes(name)

	return m, file, ours, nil
}

// checksums returns the checksum file in the form that `sha256sum -c` reads.
func checksums(base, dataSum, manifestSum string) string {
	return checksumLine(dataSum, base) + checksumLine(manifestSum, base+ManifestSuffix)
}

// checksumLine marks a name that holds a backslash by one in front of the line
// and doubles it, as GNU sha256sum does; names with line breaks are refused
// earlier. A lone "-" would mean standard input.
func checksumLine(sum, name string) string {
	if name == "-" {
		name = "./-"
	}

	if strings.Contains(name, `\`) {
		return `\` + sum + "  " + strings.ReplaceAll(name, `\`, `\\`) + "\n"
	}

	return sum + "  " + name + "\n"
}
