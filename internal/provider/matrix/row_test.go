// SPDX-License-Identifier: MPL-2.0

package matrix

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
	"github.com/auditlogs/terraform-provider-audit/internal/source"
)

// now is when everything is read, and start where every window begins: a part of
// the log lies before it.
var (
	now   = fakeapi.DefaultNow()
	start = now.Add(-span * 3 / 4)
)

// outcome is what a reading came to.
type outcome struct {
	// entries are those that were found, in their order, or values where the type
	// lists values.
	entries []args
	// rest is everything else that a user may rely on.
	rest args
	// data is what was written, byte by byte.
	data []byte
}

// trial is one use of a type while faults strike.
type trial struct {
	// try is what the faults strike, and says what it came to or the errors.
	try func() (outcome, []string)
	// kept says what has become of what was there before, nil where it is as it was.
	// It is asked after an error.
	kept func() error
	// again does the same once the faults are gone; nil where a failure leaves no
	// trace.
	again func() (outcome, []string)
}

// row is a type of the provider with one way to use it.
type row struct {
	name string
	// of is the type, after "data", "ephemeral" or "resource".
	of string
	// options says that filter options are asked for rather than pages of records,
	// and silent that nothing is asked of the service.
	options func(cloud string) bool
	silent  bool
	// entries says that the outcome lists entries, one by one.
	entries bool
	// prepare makes what was there before, and returns what makes a trial of it in a
	// directory of its own.
	prepare func(c *cloud, dir string) func(dir string) trial
}

func rows() []row {
	reading := func(read func(c *cloud) (outcome, []string)) func(*cloud, string) func(string) trial {
		return func(c *cloud, _ string) func(string) trial {
			return func(string) trial {
				return trial{try: func() (outcome, []string) { return read(c) }, kept: func() error { return nil }}
			}
		}
	}

	all := []row{
		{name: "look-up", of: "data " + provider.AuditLogsType, entries: true, prepare: reading(lookUp)},
		{
			name: "look-up of operations", of: "data " + provider.AuditLogsType, entries: true,
			prepare: reading(lookUpOperations),
		},
		{name: "ephemeral look-up", of: "ephemeral " + provider.AuditLogsType, entries: true, prepare: reading(openLookUp)},
		{
			name: "findings", of: "data " + provider.FindingsType, entries: true,
			prepare: reading(func(c *cloud) (outcome, []string) { return findings(c, nil) }),
		},
		{name: "findings with a baseline", of: "data " + provider.FindingsType, entries: true, prepare: reading(func(c *cloud) (outcome, []string) { return findings(c, "12h") })},
		{name: "drift", of: "data " + provider.DriftType, prepare: reading(drifted)},
		{
			name: "filter options", of: "data " + provider.FilterOptionsType, prepare: reading(filterOptions),
			options: func(cloud string) bool { return cloud == auditlog.ServiceUpCloud },
		},
		{name: "verification", of: "data " + provider.VerificationType, silent: true, prepare: verification},
		{name: "refresh of an archive", of: "resource " + provider.ArchiveType, prepare: refreshOfArchive},
		{name: "archive in a directory", of: "resource " + provider.ArchiveType, entries: true, prepare: archiveIn(directory, args{"format": "ndjson"})},
		{name: "archive of Parquet", of: "resource " + provider.ArchiveType, entries: true, prepare: archiveIn(directory, args{"format": "parquet"})},
		{name: "archive in a bucket", of: "resource " + provider.ArchiveType, entries: true, prepare: archiveIn(inBucket, args{"format": "ndjson", "compression": "none"})},
		{name: "first archive", of: "resource " + provider.ArchiveType, entries: true, prepare: firstArchive},
		{
			name: "first export", of: "resource " + provider.ExportType, entries: true,
			prepare: firstExport(args{"format": "json"}),
		},
	}

	for _, more := range []args{
		{"format": "csv"},
		{"format": "ndjson"},
		{"format": "parquet"},
		{"format": "ndjson", "compression": "gzip"},
		{"format": "csv", "compression": "zstd"},
	} {
		name := fmt.Sprintf("export of %v", more["format"])
		if c, ok := more["compression"]; ok {
			name += fmt.Sprintf(" with %v", c)
		}

		all = append(all, row{name: name, of: "resource " + provider.ExportType, entries: true, prepare: nextExport(more)})
	}

	return all
}

// query asks for the window.
func query(c *cloud, more args) args {
	asked := args{"service": c.name, "start": start.Format(time.RFC3339), "end": now.Format(time.RFC3339)}
	maps.Copy(asked, more)

	return asked
}

func lookUp(c *cloud) (outcome, []string) {
	return lookedUp(c.read(provider.AuditLogsType, query(c, args{"include_raw": true})))
}

func lookUpOperations(c *cloud) (outcome, []string) {
	return lookedUp(c.read(provider.AuditLogsType,
		query(c, args{"operations": list{"create", "read", "update", "delete", "start", "stop", "attach", "detach"}})))
}

func openLookUp(c *cloud) (outcome, []string) {
	return lookedUp(c.open(provider.AuditLogsType, query(c, args{"order": "newest_first"})))
}

func lookedUp(state args, errs []string) (outcome, []string) {
	if errs != nil {
		return outcome{}, errs
	}

	return outcome{entries: objects(state["entries"]), rest: relied(state, "entries")}, nil
}

func objects(of any) []args {
	var all []args

	elements, _ := of.(list)
	for _, element := range elements {
		object, _ := element.(args)
		all = append(all, object)
	}

	return all
}

// relied is what a user may rely on: not how many pages it took, nor where it is.
func relied(state args, without ...string) args {
	rest := maps.Clone(state)
	for _, name := range without {
		delete(rest, name)
	}

	for _, name := range []string{"completeness", "baseline_completeness"} {
		if c, ok := rest[name].(args); ok {
			rest[name] = args{"conclusive": c["conclusive"], "proof": c["proof"]}
		}
	}

	return rest
}

// findings has a rule that finds every entry by itself.
func findings(c *cloud, baseline any) (outcome, []string) {
	state, errs := c.read(provider.FindingsType, query(c, args{
		"baseline": baseline, "max_findings": 1000,
		"rules": args{"every": args{"where": `entry.action != ""`, "severity": "low"}},
	}))
	if errs != nil {
		return outcome{}, errs
	}

	o := outcome{rest: relied(state)}

	for _, f := range objects(state["findings"]) {
		ids, _ := f["entry_ids"].(list)
		for _, id := range ids {
			if f["rule"] == "every" {
				o.entries = append(o.entries, args{"id": id, "time": f["first_time"]})
			}
		}
	}

	return o, nil
}

// drifted holds two resources, of which the log knows nothing, against it: all that was created counts.
func drifted(c *cloud) (outcome, []string) {
	state, errs := c.read(provider.DriftType, query(c, args{
		"managed": args{"upcloud_server.none": "00000000-0000-4000-8000-000000000000", "cloudscale_server.none": "none"},
	}))
	if errs != nil {
		return outcome{}, errs
	}

	return outcome{rest: relied(state)}, nil
}

func filterOptions(c *cloud) (outcome, []string) {
	state, errs := c.read(provider.FilterOptionsType, args{"service": c.name, "last": "2d"})
	if errs != nil {
		return outcome{}, errs
	}

	o := outcome{rest: relied(state)}

	for _, name := range []string{"actions", "operations", "origins", "resource_types"} {
		values, _ := state[name].(list)
		for _, v := range values {
			o.entries = append(o.entries, args{"id": fmt.Sprint(name, " ", v)})
		}
	}

	return o, nil
}

// The export that is there before was made when a part of the log was there.

func exportArgs(c *cloud, dir string, more args) args {
	// The window has settled by now.
	asked := query(c, args{"path": filepath.Join(dir, "log"), "settle_delay": "0s"})
	maps.Copy(asked, more)

	return asked
}

func firstExport(more args) func(*cloud, string) func(string) trial {
	return func(c *cloud, _ string) func(string) trial {
		return func(dir string) trial {
			try := func() (outcome, []string) {
				made, errs := c.apply(provider.ExportType, nil, exportArgs(c, dir, more))

				return exported(c, dir, made, errs, more)
			}

			return trial{try: try, again: try, kept: unchanged(c, dir)}
		}
	}
}

func nextExport(more args) func(*cloud, string) func(string) trial {
	return func(c *cloud, origin string) func(string) trial {
		c.serve(c.history.older, now)

		old, errs := c.apply(provider.ExportType, nil, exportArgs(c, origin, more))
		if errs != nil {
			c.tb.Fatal(errs)
		}

		return func(dir string) trial {
			if err := os.CopyFS(dir, os.DirFS(origin)); err != nil {
				c.tb.Fatal(err)
			}

			before := &kept{private: old.private, state: with(old.state, args{
				"path": filepath.Join(dir, "log"), "manifest_path": filepath.Join(dir, "log"+export.ManifestSuffix),
			})}
			asked := exportArgs(c, dir, more)
			asked["triggers"] = args{"run": "2"}

			try := func() (outcome, []string) {
				made, errs := c.apply(provider.ExportType, before, asked)
				if errs == nil {
					before = made
				}

				return exported(c, dir, made, errs, more)
			}

			return trial{try: try, kept: unchanged(c, dir), again: func() (outcome, []string) {
				asked["triggers"] = args{"run": "3"}

				return try()
			}}
		}
	}
}

// exported reads an export as others do, and as its manifest says.
func exported(c *cloud, dir string, made *kept, errs []string, more args) (outcome, []string) {
	if errs != nil {
		return outcome{}, errs
	}

	path := filepath.Join(dir, "log")

	found, err := export.Inspect(path)
	if err != nil || !found.Exists || !found.ChecksumsMatch || found.Interrupted {
		c.tb.Errorf("the export is not whole: %+v, %v", found, err)
	}

	data, err := os.ReadFile(path)
	if err != nil {
		c.tb.Fatal(err)
	}

	state, _ := goOf(made.state).(args)
	o := outcome{data: data, rest: relied(state, "path", "manifest_path", "manifest_sha256", "sha256", "bytes", "triggers",
		"exported_at")}

	if o.entries, err = decoded(data, more); err != nil {
		c.tb.Errorf("the export cannot be read: %v", err)
	}

	if state["sha256"] != found.SHA256 || state["entry_count"] != int64(len(o.entries)) {
		c.tb.Errorf("the state says %v and %v entries, and there are %v and %d", state["sha256"], state["entry_count"],
			found.SHA256, len(o.entries))
	}

	return o, nil
}

// decoded reads exported data.
func decoded(data []byte, more args) ([]args, error) {
	var err error

	switch {
	case more["format"] == "parquet":
	case more["compression"] == "gzip":
		r, opened := gzip.NewReader(bytes.NewReader(data))
		if opened != nil {
			return nil, opened
		}

		var plain bytes.Buffer
		if _, err = plain.ReadFrom(r); err != nil {
			return nil, err
		}

		data = plain.Bytes()
	case more["compression"] == "zstd":
		r, opened := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if opened != nil {
			return nil, opened
		}
		defer r.Close()

		if data, err = r.DecodeAll(data, nil); err != nil {
			return nil, err
		}
	}

	switch more["format"] {
	case "csv":
		return decodedCSV(data)
	case "json":
		var all []args

		err := json.Unmarshal(data, &all)

		return all, err
	case "ndjson":
		var all []args

		for line := range bytes.Lines(data) {
			var entry args
			if err := json.Unmarshal(line, &entry); err != nil {
				return nil, err
			}

			all = append(all, entry)
		}

		return all, nil
	default:
		var all []args

		for e, err := range format.Decode(bytes.NewReader(data), int64(len(data)), format.Parquet, format.DecoderOptions{}) {
			if err != nil {
				return nil, err
			}

			all = append(all, argsOf(&e))
		}

		return all, nil
	}
}

func decodedCSV(data []byte) ([]args, error) {
	table, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil || len(table) == 0 {
		return nil, errors.Join(err, errors.New("no header"))
	}

	all := make([]args, 0, len(table))

	for _, cells := range table[1:] {
		entry := args{}
		for i, cell := range cells {
			entry[table[0][i]] = cell
		}

		all = append(all, entry)
	}

	return all, nil
}

// unchanged remembers every file of a directory, and says whether they are the same
// later, and no other one beside them.
func unchanged(c *cloud, dir string) func() error {
	before := filesOf(c, dir)

	return func() error {
		if after := filesOf(c, dir); !maps.Equal(before, after) {
			return fmt.Errorf("there were %v, and now there are %v", slices.Sorted(maps.Keys(before)),
				slices.Sorted(maps.Keys(after)))
		}

		return nil
	}
}

func filesOf(c *cloud, dir string) map[string]string {
	files := map[string]string{}

	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // Nothing was written yet.
		}

		if err != nil || d.IsDir() {
			return err
		}

		text, err := os.ReadFile(path)
		files[path] = string(text)

		return err
	})
	if err != nil {
		c.tb.Fatal(err)
	}

	return files
}

// place says where an archive of a name is.
type place func(c *cloud, dir, name string) string

func directory(_ *cloud, dir, _ string) string { return filepath.Join(dir, "archive") }

func inBucket(c *cloud, _, name string) string { return c.bucket.Destination(name) }

func archiveArgs(c *cloud, destination string, more args) args {
	asked := args{"service": c.name, "destination": destination, "start": start.Format(time.RFC3339)}
	maps.Copy(asked, more)

	return asked
}

// begun makes an archive of the older part of the log, and returns what copies it.
func begun(c *cloud, at place, dir string, more args) (copyTo func(dir string) (destination string, before *kept)) {
	destination := at(c, dir, "origin")
	c.serve(c.history.older, c.history.before)

	old, errs := c.apply(provider.ArchiveType, nil, archiveArgs(c, destination, more))
	if errs != nil {
		c.tb.Fatal(errs)
	}

	copies, objects := 0, objectsOf(c, destination)

	return func(dir string) (string, *kept) {
		copies++

		to := at(c, dir, fmt.Sprint("copy-", copies))
		for key, text := range objects {
			if err := store(c, to).Create(c.ctx(), key, []byte(text)); err != nil {
				c.tb.Fatal(err)
			}
		}

		return to, &kept{private: old.private, state: with(old.state, args{"destination": to})}
	}
}

func store(c *cloud, destination string) durable.Store {
	if c.stores[destination] == nil {
		c.stores[destination] = c.bucket.Open(c.tb, destination)
	}

	return c.stores[destination]
}

func objectsOf(c *cloud, destination string) map[string]string {
	from, found := store(c, destination), map[string]string{}

	for o, err := range from.List(c.ctx(), "") {
		if err != nil {
			c.tb.Fatal(err)
		}

		text, err := from.Read(c.ctx(), o.Key, 64<<20)
		if err != nil {
			c.tb.Fatal(err)
		}

		found[o.Key] = string(text)
	}

	return found
}

func archiveIn(at place, more args) func(*cloud, string) func(string) trial {
	return func(c *cloud, origin string) func(string) trial {
		copyTo := begun(c, at, origin, more)

		// What is new is found while all is well.
		c.serve(c.history.all, now)

		_, before := copyTo(filepath.Join(origin, "refreshed"))

		refreshed, errs := c.refresh(provider.ArchiveType, before)
		if errs != nil {
			c.tb.Fatal(errs)
		}

		return func(dir string) trial {
			destination, _ := copyTo(dir)

			return appending(c, destination,
				&kept{private: refreshed.private, state: with(refreshed.state, args{"destination": destination})}, more)
		}
	}
}

// firstArchive begins an archive while faults strike.
func firstArchive(c *cloud, _ string) func(string) trial {
	return func(dir string) trial {
		return appending(c, directory(c, dir, ""), nil, args{"format": "ndjson", "compression": "gzip"})
	}
}

func appending(c *cloud, destination string, before *kept, more args) trial {
	old := objectsOf(c, destination)

	try := func() (outcome, []string) {
		made, errs := c.apply(provider.ArchiveType, before, archiveArgs(c, destination, more))
		if errs != nil {
			return outcome{}, errs
		}

		return archived(c, destination, made)
	}

	return trial{
		try: try,
		kept: func() error {
			return errors.Join(grown(c, destination, old), verified(c, destination))
		},
		again: func() (outcome, []string) {
			if before != nil {
				refreshed, errs := c.refresh(provider.ArchiveType, before)
				if errs != nil {
					return outcome{}, errs
				}

				before = refreshed
			}

			return try()
		},
	}
}

// archived reads an archive back.
func archived(c *cloud, destination string, made *kept) (outcome, []string) {
	state, _ := goOf(made.state).(args)
	o := outcome{rest: args{
		"entry_count": state["entry_count"], "covered_until": state["covered_until"],
		"pending_entries": state["pending_entries"],
	}}

	// Reading verifies the chain.
	r, err := archive.OpenReader(c.ctx(), store(c, destination), archive.ReaderOptions{InfoOf: source.InfoOf})
	if err != nil {
		c.tb.Fatal(err)
	}

	var said auditlog.Completeness

	for e, err := range r.Read(c.ctx(), auditlog.Query{Window: auditlog.Window{Start: start, End: now}}, &said) {
		if err != nil {
			c.tb.Fatal(err)
		}

		o.entries = append(o.entries, argsOf(&e))
	}

	return o, nil
}

// argsOf lists the fields of an entry.
func argsOf(e *auditlog.Entry) args {
	fields := args{}
	for _, f := range auditlog.Fields() {
		fields[f.Name] = f.Text(e)
	}

	return fields
}

// grown says whether an archive still has all that was written and may only have
// more. The checkpoint is a copy of the newest, and tiles grow until they are full.
func grown(c *cloud, destination string, old map[string]string) error {
	found := objectsOf(c, destination)

	for key, text := range old {
		if key != "checkpoint" && !strings.Contains(key, ".p/") && found[key] != text {
			return fmt.Errorf("%s is not what was archived", key)
		}
	}

	return nil
}

// verified verifies an archive, as far as there is one.
func verified(c *cloud, destination string) error {
	if len(objectsOf(c, destination)) == 0 {
		return nil
	}

	report, err := archive.Verify(c.ctx(), store(c, destination), archive.VerifyOptions{})
	if err != nil {
		return err
	}

	if !report.Valid {
		return fmt.Errorf("the archive is not valid: %+v", report.Problems)
	}

	return nil
}

func verification(c *cloud, origin string) func(string) trial {
	copyTo := begun(c, directory, origin, args{"format": "ndjson"})

	return func(dir string) trial {
		destination, _ := copyTo(dir)

		return trial{kept: unchanged(c, dir), try: func() (outcome, []string) {
			state, errs := c.read(provider.VerificationType, args{"destination": destination})

			return outcome{rest: relied(state, "destination")}, errs
		}}
	}
}

// refreshOfArchive asks whether anything is new, and writes nothing.
func refreshOfArchive(c *cloud, origin string) func(string) trial {
	copyTo := begun(c, directory, origin, args{"format": "ndjson"})

	return func(dir string) trial {
		_, before := copyTo(dir)

		return trial{kept: unchanged(c, dir), try: func() (outcome, []string) {
			after, errs := c.refresh(provider.ArchiveType, before)
			if errs != nil {
				return outcome{}, errs
			}

			state, _ := goOf(after.state).(args)

			return outcome{rest: relied(state, "destination")}, nil
		}}
	}
}
