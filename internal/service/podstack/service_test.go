// SPDX-License-Identifier: MPL-2.0

package podstack_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/service/podstack"
)

const headers = "Timestamp,User,Action,Resource\n"

func rowsAt(times ...string) string {
	var b strings.Builder

	b.WriteString(headers)

	for _, at := range times {
		b.WriteString(at + ",jane@example.com,Delete,web-1\n")
	}

	return b.String()
}

func TestReadCountsAndGaps(t *testing.T) {
	t.Parallel()

	window := auditlog.Window{Start: at(t, "2026-06-10 00:00:00"), End: at(t, "2026-06-20 00:00:00")}

	for name, tt := range map[string]struct {
		files map[string]string
		want  auditlog.Completeness
		gaps  []string
		found int
	}{
		"one export of more than the window": {
			map[string]string{"a": rowsAt("2026-06-21 00:00:00", "2026-06-15 00:00:00", "2026-06-01 00:00:00")},
			auditlog.Completeness{Pages: 1, RowsFetched: 3, RowsFilteredOut: 2},
			nil, 1,
		},
		"exports that overlap by a row": {
			map[string]string{
				"b": rowsAt("2026-06-21 00:00:00", "2026-06-15 00:00:00"),
				"a": rowsAt("2026-06-15 00:00:00", "2026-06-01 00:00:00"),
			},
			auditlog.Completeness{Pages: 2, RowsFetched: 4, RowsFilteredOut: 2, DuplicatesDropped: 1},
			nil, 1,
		},
		"exports that do not": {
			map[string]string{
				"b": rowsAt("2026-06-21 00:00:00", "2026-06-15 00:00:01"),
				"a": rowsAt("2026-06-15 00:00:00", "2026-06-01 00:00:00"),
			},
			auditlog.Completeness{Pages: 2, RowsFetched: 4, RowsFilteredOut: 2},
			[]string{"[2026-06-15T00:00:00.000001Z, 2026-06-15T00:00:01.000000Z)"},
			2,
		},
		"before the first and after the last row": {
			map[string]string{"a": rowsAt("2026-06-12 00:00:00", "2026-06-11 00:00:00")},
			auditlog.Completeness{Pages: 1, RowsFetched: 2},
			[]string{
				"[2026-06-10T00:00:00.000000Z, 2026-06-11T00:00:00.000000Z)",
				"[2026-06-12T00:00:00.000001Z, 2026-06-20T00:00:00.000000Z)",
			},
			2,
		},
		"an export within another": {
			map[string]string{"a": rowsAt("2026-06-20 00:00:00", "2026-06-12 00:00:00", "2026-06-11 00:00:00",
				"2026-06-10 00:00:00"), "b": rowsAt("2026-06-12 00:00:00", "2026-06-11 00:00:00")},
			auditlog.Completeness{Pages: 2, RowsFetched: 6, RowsFilteredOut: 1, DuplicatesDropped: 2},
			nil, 3,
		},
		"nothing but headers": {
			map[string]string{"a": headers},
			auditlog.Completeness{Pages: 1},
			[]string{window.String()},
			0,
		},
		"identical rows are as many events": {
			map[string]string{
				"a": rowsAt("2026-06-21 00:00:00", "2026-06-12 00:00:00", "2026-06-12 00:00:00", "2026-06-01 00:00:00"),
				"b": rowsAt("2026-06-12 00:00:00", "2026-06-12 00:00:00", "2026-06-12 00:00:00"),
			},
			auditlog.Completeness{Pages: 2, RowsFetched: 7, RowsFilteredOut: 2, DuplicatesDropped: 2},
			nil, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, s := write(t, tt.files)

			entries, c, err := read(t.Context(), s, auditlog.Query{Window: window})
			if err != nil {
				t.Fatal(err)
			}

			got := []string(nil)
			for _, g := range c.Gaps {
				got = append(got, g.String())
			}

			if diff := cmp.Diff(tt.gaps, got); diff != "" {
				t.Error(diff)
			}

			tt.want.Window, tt.want.Retention, tt.want.Proof, c.Gaps = window, podstack.DefaultRetention, auditlog.ProofExports,
				nil
			tt.want.Source = auditlog.Source{Service: auditlog.ServicePodStack}
			if diff := cmp.Diff(tt.want, c); diff != "" || len(entries) != tt.found {
				t.Errorf("%d entries, %s", len(entries), diff)
			}
		})
	}
}

// A file outlives the cloud's memory, so what it covers is not beyond anything.
func TestBeyondRetention(t *testing.T) {
	t.Parallel()

	_, s := write(t, map[string]string{"a": rowsAt("2026-06-21 00:00:00", "2024-01-01 00:00:00")})

	for start, beyond := range map[string]bool{
		"2023-12-31 23:59:59": true, "2024-01-01 00:00:00": false,
		"2026-06-22 00:00:00": false,
	} {
		_, c, err := read(t.Context(), s, auditlog.Query{Window: auditlog.Window{Start: at(t, start), End: now()}})
		if err != nil || c.BeyondRetention != beyond {
			t.Errorf("%s: %v, %v", start, c.BeyondRetention, err)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()

	long := "Timestamp,Action,Details\n2026-06-02 09:15:00,Delete,x\n2026-06-02 09:15:00,Delete,\"" + strings.Repeat("é", 1<<19) + "\"\n"

	for name, tt := range map[string]struct {
		files   map[string]string
		columns map[string]string
		query   auditlog.Query
		want    string
	}{
		"a mapping of what no column becomes": {
			map[string]string{"a": rowsAt()},
			map[string]string{"operation": "Action"},
			auditlog.Query{},
			`The mapping names "operation", which no column can become.
Give one of id, time, action, actor_type, actor_id, actor, resource_type, resource_id, resource_name, scope_type, scope_id, scope_name, origin, auth_type, ip_address, user_agent, correlation_id, message, previous_values, new_values, modified_fields.`,
		},
		"other columns where exports overlap": {
			map[string]string{
				"a.csv": rowsAt("2026-06-02 09:15:00", "2026-06-03 09:15:00"),
				"b.csv": "Timestamp,Action,IP\n2026-06-03 09:15:00,Delete,192.0.2.1\n",
			},
			nil,
			auditlog.Query{},
			`The export overlaps DIR/a.csv in time and has other columns, so an event in both would count twice.
File: b.csv
Line: 1
Headers: Timestamp | Action | IP
Export one of the two again with the columns of the other, or leave one out.`,
		},
		"a filter that no export can answer": {
			map[string]string{"a.csv": rowsAt("2026-06-02 09:15:00")},
			nil,
			auditlog.Query{IPAddresses: []string{"192.0.2.1"}},
			`None of the exports has a column for ip_address, so the filter would find nothing, whatever happened.`,
		},
		"a filter that one export cannot answer": {
			map[string]string{
				"a.csv": rowsAt("2026-06-02 09:15:00"),
				"b.csv": "Timestamp,Action,IP\n2026-06-03 09:15:00,Delete,192.0.2.1\n",
			},
			nil,
			auditlog.Query{IPAddresses: []string{"192.0.2.1"}},
			`The export DIR/a.csv has no column for ip_address, so the filter would find nothing in it, whatever happened.`,
		},
		"a record of more than a mebibyte": {
			map[string]string{"a.csv": long},
			nil,
			auditlog.Query{},
			`A record is longer than 1048576 bytes; perhaps a quote is never closed.
File: a.csv
Line: 3
Column: 1
Export again, and do not edit the file.`,
		},
		"a quote that takes in the rest of a long file": {
			map[string]string{"a.csv": headers + "2026-06-02 09:15:00,\"jane\" x,Delete,web-1\n" +
				strings.Repeat("2026-06-02 09:15:00,jane,Delete,5\" disk\n\n", 50_001)},
			nil,
			auditlog.Query{},
			`A quoted cell goes on after its closing quote.
File: a.csv
Line: 2
Column: 26
Export again, and do not edit the file.`,
		},
		"ids that number the rows": {
			map[string]string{
				"a.csv": "ID,Timestamp,Action\n1,2026-06-02 09:15:00,Delete\n2,2026-06-01 09:15:00,Delete\n",
				"b.csv": "ID,Timestamp,Action\n1,2026-06-03 09:15:00,Delete\n2,2026-06-02 09:15:00,Delete\n",
			},
			nil,
			auditlog.Query{},
			`The column gives events the ids of other events in DIR/a.csv, so it does not identify them.
File: b.csv
Line: 1
Header: ID
Name the column that identifies events, if there is one, as columns = { id = "…" }, or give this one another header.`,
		},
		"an id twice": {
			map[string]string{"a.csv": "ID,Timestamp,Action\n1,2026-06-02 09:15:00,Delete\n1,2026-06-01 09:15:00,Delete\n"},
			nil,
			auditlog.Query{},
			`The id is that of an earlier row too, which has another time.
File: a.csv
Line: 3
Column: 1
Header: ID
Name the column that identifies events, if there is one, as columns = { id = "…" }, or give this one another header.`,
		},
		"an event with a cell twice instead of headers": {
			map[string]string{"a.csv": "noon on 2026-06-02,jane,jane,Delete\n"},
			nil,
			auditlog.Query{},
			`The first line holds an event instead of headers.
File: a.csv
Line: 1
Export again with headers, or write a line of headers above it.`,
		},
		"headers that never end": {
			map[string]string{"a.csv": "\"Timestamp,Action\n2026-06-02 09:15:00,Delete\n"},
			nil,
			auditlog.Query{},
			`The file ends within quotes: it was cut off.
File: a.csv
Line: 2
Column: 27
Export again, and do not edit the file.`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir, _ := write(t, tt.files)
			s := podstack.New(podstack.Options{Exports: []string{filepath.Join(dir, "*")}, Columns: tt.columns, Clock: now})
			tt.query.Window = always()

			entries, _, err := read(t.Context(), s, tt.query)
			if err == nil {
				t.Fatalf("read %d entries", len(entries))
			}

			if diff := cmp.Diff(tt.want, strings.ReplaceAll(whole(err), dir, "DIR")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An export that does not reach into the window needs no column for a filter.
func TestOldExportsNeedNotAnswer(t *testing.T) {
	t.Parallel()

	_, s := write(t, map[string]string{
		"a.csv": rowsAt("2026-05-02 09:15:00"),
		"b.csv": "Timestamp,Action,IP\n2026-06-03 09:15:00,Delete,192.0.2.1\n",
	})

	entries, _, err := read(t.Context(), s, auditlog.Query{
		Window: auditlog.Window{Start: at(t, "2026-06-01 00:00:00"), End: now()}, IPAddresses: []string{"192.0.2.0/24"},
	})
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()

	dir, _ := write(t, map[string]string{
		"a.csv": rowsAt("2026-06-02 09:15:00"), "b.csv": rowsAt("2026-06-03 09:15:00"),
		"c[1].csv": rowsAt("2026-06-04 09:15:00"),
	})

	if err := os.Symlink(filepath.Join(dir, "a.csv"), filepath.Join(dir, "link.csv")); err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		patterns []string
		pages    int64
		want     string
	}{
		{[]string{"a.csv", "./a.csv", "*.csv", "link.csv"}, 3, ""},
		{[]string{"c[1].csv"}, 1, ""},
		{[]string{"a.csv", "x*.csv"}, 0, "No file matches.\nFile: x*.csv\nCheck the path; relative ones begin where Terraform runs, so ${path.module} in front is safest."},
		{[]string{"[a.csv"}, 0, "The pattern is not one.\nFile: [a.csv\nClose every bracket, or leave brackets out."},
		{[]string{"."}, 0, "It is not a file that can be read twice, such as a directory or a pipe.\nFile: DIR\nName files, such as \"exports/*.csv\"."},
	} {
		s := podstack.New(podstack.Options{Clock: now, Exports: slices.Collect(func(yield func(string) bool) {
			for _, p := range tt.patterns {
				if !yield(dir + string(filepath.Separator) + p) {
					return
				}
			}
		})})

		_, c, err := read(t.Context(), s, auditlog.Query{Window: always()})

		got := ""
		if err != nil {
			got = strings.ReplaceAll(whole(err), filepath.Base(dir), "DIR")
		}

		if got != tt.want || c.Pages != tt.pages {
			t.Errorf("%v: %d files, %s", tt.patterns, c.Pages, got)
		}
	}

	s := podstack.New(podstack.Options{Clock: now, Exports: []string{"~/none.csv"}})
	if _, _, err := read(t.Context(), s, auditlog.Query{Window: always()}); err == nil ||
		!strings.Contains(whole(err), `Write pathexpand("~/none.csv")`) {
		t.Error(err)
	}
}

// What is yielded after the first look is checked against it.
func TestFileChangesWhileItIsRead(t *testing.T) {
	t.Parallel()

	times := []string{}
	for i := range 3000 {
		times = append(times, now().Add(-time.Duration(i)*time.Minute).Format(time.DateTime))
	}

	for name, change := range map[string]string{
		"other":   strings.ReplaceAll(rowsAt(times...), "web-1", "web-2"),
		"longer":  rowsAt(times...) + "x",
		"shorter": rowsAt(times[:2999]...),
	} {
		dir, s := write(t, map[string]string{"a.csv": rowsAt(times...)})
		s.Small(100, 1<<20, 1<<10)

		var (
			c   auditlog.Completeness
			n   int
			err error
		)

		for _, err = range s.Read(t.Context(), auditlog.Query{Window: always()}, &c) {
			if n++; n == 1 {
				if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte(change), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}

		if e := (*podstack.Error)(nil); !errors.As(err, &e) || e.Reason != "The file changed while it was being read." ||
			e.Line < 2 || c.Proof != "" || n >= len(times) {
			t.Errorf("%s: %d entries and %v", name, n, err)
		}
	}
}

func TestNothingIsOpenedBeforeReading(t *testing.T) {
	t.Parallel()

	s := podstack.New(podstack.Options{
		Exports: []string{"none/*.csv"}, Columns: map[string]string{"x": "y"}, Clock: now,
		Retention: time.Hour,
	})

	var c auditlog.Completeness

	s.Read(t.Context(), auditlog.Query{Window: always()}, &c)

	if info := s.Info(); info.Name != "podstack" || info.Title != "PodStack" || info.Retention != time.Hour ||
		len(info.NeverRecorded) != 0 {
		t.Errorf("info is %+v", info)
	}

	if info := podstack.Info(); info.Retention != 90*24*time.Hour {
		t.Errorf("info is %+v", info)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()

	_, s := write(t, map[string]string{"a": rowsAt("2026-06-02 09:15:00")})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if _, _, err := read(ctx, s, auditlog.Query{Window: always()}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFilterOptionsAndInspect(t *testing.T) {
	t.Parallel()

	_, s := write(t, map[string]string{"a": `Timestamp,User,Action,Resource Type,Project
2026-06-02 09:15:00,jane,Token Created,Token,shop
2026-06-03 09:15:00,jane,Delete,Pod,shop
2026-06-03 09:16:00,jane,Delete,,shop
2026-05-03 09:15:00,jane,Start,Pod,shop
`})

	got, err := s.FilterOptions(t.Context(),
		auditlog.Query{Window: auditlog.Window{Start: at(t, "2026-06-01 00:00:00"), End: now()}})
	if err != nil {
		t.Fatal(err)
	}

	want := auditlog.FilterOptions{
		Actions: []string{"Delete", "Token Created"}, Operations: []string{"create", "delete"},
		ResourceTypes: []string{"Pod", "Token"}, OriginOfValues: auditlog.FromLog,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	info, err := s.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	never := []string{
		"endpoint", "account", "actor_id", "resource_id", "resource_name", "scope_id", "origin", "auth_type",
		"ip_address", "user_agent", "correlation_id", "message", "changes",
	}
	if diff := cmp.Diff(never, info.NeverRecorded); diff != "" {
		t.Error(diff)
	}
}

// An id makes events known whatever columns their exports have.
func TestIDsJoinExportsWithOtherColumns(t *testing.T) {
	t.Parallel()

	_, s := write(t, map[string]string{
		"a.csv": "ID,Timestamp,Action\n1,2026-06-02 09:15:00,Delete\n2,2026-06-03 09:15:00,Delete\n",
		"b.csv": "ID,Timestamp,Action,IP\n2,2026-06-03 09:15:00,Delete,192.0.2.1\n2,2026-06-03 09:15:00,Delete,192.0.2.1\n",
	})

	entries, c, err := read(t.Context(), s, auditlog.Query{Window: always()})
	if err != nil || len(entries) != 2 || entries[1].ID != "2" || entries[1].IPAddress != "192.0.2.1" ||
		c.DuplicatesDropped != 2 {
		t.Errorf("%+v, %+v, %v", entries, c, err)
	}
}

// TestUnreadColumns: a column that holds something and becomes nothing is named,
// with the field that it looks like, unless it is said not to be wanted.
func TestUnreadColumns(t *testing.T) {
	t.Parallel()

	type unread = auditlog.UnreadColumn

	for name, tt := range map[string]struct {
		files   map[string]string
		columns map[string]string
		ignored []string
		want    []unread
		actor   string
	}{
		"a foreign word": {
			files: map[string]string{"a": "Timestamp,Benutzer,Action\n2026-06-02 09:15:00,jane,Delete\n"},
			want:  []unread{{Header: "Benutzer", Field: "actor"}},
		},
		"mapped": {
			files:   map[string]string{"a": "Timestamp,Benutzer,Action\n2026-06-02 09:15:00,jane,Delete\n"},
			columns: map[string]string{"actor": "benutzer"}, actor: "jane",
		},
		"not wanted": {
			files:   map[string]string{"a": "Timestamp,Benutzer,Action\n2026-06-02 09:15:00,jane,Delete\n"},
			ignored: []string{"benutzer", "Not there"},
		},
		"an address of a person in one row": {
			files: map[string]string{"a": "Timestamp,Wer,Action\n2026-06-02 09:15:00,system,Delete\n2026-06-02 09:16:00,Jane <jane@example.com>,Delete\n"},
			want:  []unread{{Header: "Wer", Field: "actor"}},
		},
		"an address of a machine": {
			files: map[string]string{"a": "Timestamp,User,Action,Herkunft,Benutzer-IP\n2026-06-02 09:15:00,jane,Delete,2001:db8::1,192.0.2.1\n"},
			want:  []unread{{Header: "Herkunft", Field: "ip_address"}, {Header: "Benutzer-IP", Field: "ip_address"}},
			actor: "jane",
		},
		"a field that another column has": {
			files: map[string]string{"a": "Timestamp,User,Action,Approver,IP,Via\n2026-06-02 09:15:00,jane,Delete,joe@example.com,192.0.2.1,192.0.2.2\n"},
			want:  []unread{{Header: "Approver"}, {Header: "Via"}}, actor: "jane",
		},
		"anything else": {
			files: map[string]string{"a": "Timestamp,User,Action,Kommentar,Leer\n2026-06-02 09:15:00,jane,Delete,see mail to joe@example.com, \n2026-06-02 09:15:01,jane,Delete,,\n"},
			want:  []unread{{Header: "Kommentar"}}, actor: "jane",
		},
		"a column whose field the mapping gives to another": {
			files:   map[string]string{"a": "Timestamp,User,Login,Action\n2026-06-02 09:15:00,Jane,jane,Delete\n"},
			columns: map[string]string{"actor": "Login"}, want: []unread{{Header: "User"}}, actor: "jane",
		},
		"of two that could be a field one is not wanted": {
			files:   map[string]string{"a": "Timestamp,User,User Email,Action\n2026-06-02 09:15:00,jane,j@example.com,Delete\n"},
			ignored: []string{"User Email"}, actor: "jane",
		},
		"some files, each column once": {
			files: map[string]string{
				"a": "Timestamp,Action,Wer\n2026-06-02 09:15:00,Delete,jane\n",
				"b": "Timestamp,Action,Wer\n2026-06-03 09:15:00,Delete,jane@example.com\n",
				"c": "Timestamp,Action,Nutzer\n2026-06-04 09:15:00,Delete,jane\n",
			},
			want: []unread{{Header: "Wer", Field: "actor"}, {Header: "Nutzer", Field: "actor"}},
		},
		"a file that the window does not reach": {
			files: map[string]string{
				"a": "Timestamp,Action,Wer\n2100-06-02 09:15:00,Delete,jane\n",
				"b": rowsAt("2026-06-03 09:15:00"),
			},
			actor: "jane@example.com",
		},
		"a file of ours with more columns": {
			files: map[string]string{"a": "time,action,service,operation,actor,Ticket,Old Value\n2026-06-02T09:15:00Z,Delete,podstack,delete,jane,T-1,1\n"},
			want:  []unread{{Header: "Ticket"}, {Header: "Old Value"}}, actor: "jane",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := podstack.New(podstack.Options{Columns: tt.columns, Ignored: tt.ignored, Clock: now}).Texts(tt.files)

			entries, c, err := read(t.Context(), s, auditlog.Query{Window: always()})
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(tt.want, c.Unread); diff != "" || entries[0].Actor != tt.actor {
				t.Errorf("the actor is %q, %s", entries[0].Actor, diff)
			}

			options, err := s.FilterOptions(t.Context(), auditlog.Query{Window: always()})
			if diff := cmp.Diff(tt.want, options.Unread); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

// TestMappedColumnsOfOurOwnFilesAreRead: a mapping counts whoever wrote the file.
func TestMappedColumnsOfOurOwnFilesAreRead(t *testing.T) {
	t.Parallel()

	text := "time,action,service,operation,Old Value\n2026-06-02T09:15:00Z,Update,podstack,update,small\n"

	entries, err := podstack.Parse(t.Context(), text, map[string]string{"previous_values": "Old Value"})
	if err != nil || len(entries[0].Changes) != 1 || *entries[0].Changes[0].Before != `"small"` {
		t.Errorf("%+v, %v", entries, err)
	}
}

// TestIgnoredColumns: what is not wanted can hide neither what an event needs nor
// what a mapping asks for, and two events that differ only there stay two.
func TestIgnoredColumns(t *testing.T) {
	t.Parallel()

	texts := map[string]string{"a": "Timestamp,Action,Note\n2026-06-02 09:15:00,Delete,a\n2026-06-02 09:15:00,Delete,b\n"}

	for _, tt := range []struct {
		ignored []string
		columns map[string]string
		want    string
	}{
		{[]string{"Action"}, nil, "No header is known to mean action.\nFile: a\nLine: 1\nHeaders: Timestamp | Action | Note\nName the header: columns = { action = \"…\" }."},
		{[]string{"x", "NOTE"}, map[string]string{"message": "Note"}, "The column that the mapping says is message is ignored.\nTake it out of ignored_columns, or out of columns."},
		{[]string{"", "Note"}, nil, ""},
		{[]string{"#", "Note"}, map[string]string{"actor": "%"}, "No export has the column that the mapping says is actor.\nFile: a\nLine: 1\nHeaders: Timestamp | Action | Note\nGive a header as it is spelled in the exports."},
	} {
		s := podstack.New(podstack.Options{Columns: tt.columns, Ignored: tt.ignored, Clock: now}).Texts(texts)

		entries, _, err := read(t.Context(), s, auditlog.Query{Window: always()})
		if err != nil {
			if got := whole(err); got != tt.want {
				t.Errorf("%v: %s", tt.ignored, got)
			}
		} else if tt.want != "" || len(entries) != 2 || entries[0].ID == entries[1].ID {
			t.Errorf("%v: read %+v", tt.ignored, entries)
		}
	}
}

// TestParse_unmappedActor: a function cannot warn, so that a text whose actors
// nobody mapped is refused. Its other columns are in raw.
func TestParse_unmappedActor(t *testing.T) {
	t.Parallel()

	const unknown = `No header is known to mean actor.
Line: 1
Header: %
Headers: Timestamp | % | Action
Name the header: columns = { actor = "%" }.`

	for header, cell := range map[string]string{"Benutzer": "jane", "Wer": "jane@example.com"} {
		text := "Timestamp," + header + ",Action\n2026-06-02 09:15:00," + cell + ",Delete\n"

		_, err := podstack.Parse(t.Context(), text, nil)
		if err == nil {
			t.Fatalf("%s: the actor is lost in silence", header)
		}

		if diff := cmp.Diff(strings.ReplaceAll(unknown, "%", header), whole(err)); diff != "" {
			t.Error(diff)
		}

		entries, err := podstack.Parse(t.Context(), text, map[string]string{"actor": header})
		if err != nil || entries[0].Actor != cell {
			t.Errorf("%+v, %v", entries, err)
		}
	}

	for _, text := range []string{
		"Timestamp,Benutzer,Action\n2026-06-02 09:15:00, ,Delete\n",
		"Timestamp,Benutzer,User,Action\n2026-06-02 09:15:00,x,jane,Delete\n",
		"Timestamp,Benutzer,User ID,Action\n2026-06-02 09:15:00,x,7,Delete\n",
		"Timestamp,Kommentar,Action\n2026-06-02 09:15:00,x,Delete\n",
	} {
		if entries, err := podstack.Parse(t.Context(), text, nil); err != nil || len(entries) != 1 {
			t.Errorf("%q: %v", text, err)
		}
	}

	// Nothing is no header.
	if _, err := podstack.Parse(t.Context(), "Timestamp,Action,\n2026-06-02 09:15:00,Delete,\n",
		map[string]string{"actor": " "}); err == nil {
		t.Error("an empty header is mapped")
	}
}

// TestCellsAreTrimmedInFieldsOnly: white space around a cell is no part of a value,
// and the record stays as it was written.
func TestCellsAreTrimmedInFieldsOnly(t *testing.T) {
	t.Parallel()

	entries, err := podstack.Parse(t.Context(), " Timestamp , User,Action ,Note,Details\n 2026-06-02 09:15:00 ,\tjane\u00a0,\" Server  Delete \", x ,\" \n \"\n", nil)
	if err != nil {
		t.Fatal(err)
	}

	e := entries[0]
	if e.Actor != "jane" || e.Action != "Server  Delete" || e.Operation != auditlog.OperationDelete || e.Message != "" {
		t.Errorf("%+v", e)
	}

	want := `{"Timestamp":" 2026-06-02 09:15:00 ","User":"\tjane\u00a0","Action":" Server  Delete ","Note":" x ","Details":" \n "}`
	if got := strings.ReplaceAll(string(e.Raw), "\u00a0", `\u00a0`); got != want {
		t.Errorf("raw is %s", got)
	}
}

// TestEmptyLinesAreNoRows: wherever they stand, and also as delimiters, since no
// event is in them; lines are counted with them.
func TestEmptyLinesAreNoRows(t *testing.T) {
	t.Parallel()

	const row = "2026-06-02 09:15:00,jane,Delete,web-1\n"

	text := "\n \n,,,\n" + headers + "\n\r\n" + row + ",,,\n,\n \t\n\"\n\",,,\n" + row + "\n\n"

	_, s := write(t, map[string]string{"a": text})

	entries, c, err := read(t.Context(), s, auditlog.Query{Window: always()})
	if err != nil || len(entries) != 2 || c.RowsFetched != 2 {
		t.Errorf("%d entries of %d rows, %v", len(entries), c.RowsFetched, err)
	}

	if _, err := podstack.Parse(t.Context(), "\n"+headers+"\n,,,\nnoon,jane,Delete,web-1\n", nil); err == nil ||
		err.Error() != "5:1: The cell is not a time in a known form." {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()

	entries, err := podstack.Parse(t.Context(), rowsAt("2026-06-03 09:15:00", "2026-06-02 09:15:00"), nil)
	if err != nil || len(entries) != 2 || !entries[0].Time.Before(entries[1].Time) || entries[0].Service != "podstack" {
		t.Errorf("%+v, %v", entries, err)
	}

	entries, err = podstack.Parse(t.Context(), "id,time,service,action,operation,actor\n1,2026-06-02T09:15:00.000000Z,upcloud,access-update,grant,jane\n", nil)
	if err != nil || len(entries) != 1 || entries[0].Service != "upcloud" || entries[0].Operation != "grant" ||
		entries[0].Raw != nil || entries[0].ID != "1" {
		t.Errorf("%+v, %v", entries, err)
	}

	if _, err = podstack.Parse(t.Context(), "Timestamp,Action\nnoon,Delete\n", nil); err == nil ||
		err.Error() != "2:1: The cell is not a time in a known form." {
		t.Error(err)
	}
}

func TestOperationOf(t *testing.T) {
	t.Parallel()

	for action, want := range map[string]auditlog.Operation{
		"Create": "create", "UPDATE": "update", "delete": "delete", "Start": "start", "Stop": "stop", "Restart": "restart",
		"Login": "login", "Logout": "logout", "Login Failed": "login_failed", "failed_login": "login_failed",
		"Token Created": "create", "token-revoked": "revoke", "SSH Key Added": "create", "ssh_key_deleted": "delete",
		"Invite Sent": "invite", "Invite Accepted": "grant", "Member Removed": "revoke", "PermissionsChanged": "grant",
		"Backup": "other", "": "other",
	} {
		if got := podstack.OperationOf(action); got != want {
			t.Errorf("%q means %s, not %s", action, got, want)
		}

		if known := podstack.KnowsAction(action); known != (want != "other") {
			t.Errorf("%q is known: %v", action, known)
		}
	}
}

// TestOperationOf_words: labels that are not documented count as what their last or
// first word means, and as nothing where that is not certain.
func TestOperationOf_words(t *testing.T) {
	t.Parallel()

	for action, want := range map[string]auditlog.Operation{
		"Server Delete": "delete", "delete_server": "delete", "ServerDeleted": "delete", "deleteServer": "delete",
		"pod.deleted":    "delete",
		"Pod Terminated": "delete", "Destroy Pod": "delete", "SSH key removed": "delete", "Volume-Purge": "delete",
		"Release IPv4": "delete",
		"VM2Deleted":   "delete", "APIKeyDeleted": "delete", "DELETE POD": "delete", "Access Key Deleted": "delete",
		"Scheduled Backup Deleted": "delete",
		"Allow List Deleted":       "delete", "Delete Managed Database": "delete",
		"Pod Created": "create", "Add SSH Key": "create", "Volume Cloned": "create", "Pod Resized": "update",
		"Rename Project": "update",
		"Pod Power On":   "start", "Powered off pod": "stop", "Pod Paused": "stop", "reboot-pod": "restart",
		"Mount Volume": "attach", "Volume Detached": "detach", "User Logged In": "login", "Sign out": "logout",
		"User Login Failed": "login_failed",
		"Failed Sign-In":    "login_failed", "Logs Exported": "export", "User Invited": "invite", "Pod Viewed": "read",
		// Who may do what.
		"Remove Member": "revoke", "Team Member Deleted": "revoke", "member_added": "grant", "Change Permissions": "grant",
		"Permission Revoked": "revoke", "Permission Deleted": "revoke", "Access Granted": "grant", "Project Shared": "grant",
	} {
		if got := podstack.OperationOf(action); got != want || !podstack.KnowsAction(action) {
			t.Errorf("%q means %s and is known: %v, not %s", action, got, podstack.KnowsAction(action), want)
		}
	}

	for _, action := range []string{
		"", "_", "Pod", "Pod Delete Job", "Create Delete", "Start Pod Deleted", "Update Policy Deleted",
		"Delete Failed", "Pod Delete Failed", "Failed Delete", "Deletion Scheduled", "Delete Pod Requested",
		"Delete Protection Enabled", "Pod Not Deleted",
		"Deletion Started", "Pod Deletion Started", "Pod Delete Stopped", "Invite Expired", "Invite Declined",
		"Invitation Deleted",
		"Role Updated", "Role Deleted", "Member Updated", "Owner Changed", "Undeleted", "Reset", "Password Reset", "Löschen",
	} {
		if got := podstack.OperationOf(action); got != auditlog.OperationOther || podstack.KnowsAction(action) {
			t.Errorf("%q means %s and is known: %v", action, got, podstack.KnowsAction(action))
		}
	}
}
