// SPDX-License-Identifier: MPL-2.0

// Package duckdbtest reads what our encoders write with DuckDB, an engine that
// shares no code with us.
package duckdbtest_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // The driver.
)

// samples is where the files are that the tests TestSamples wrote.
var samples string

func TestMain(m *testing.M) {
	flag.Parse()

	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)

		code = 1
	}

	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if samples, err = os.MkdirTemp("", "export-samples-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(samples)

	write := exec.CommandContext(context.Background(), "go", "test", "-count=1", "-run", "^TestSamples$",
		"./internal/format", "./internal/archive")
	write.Dir = filepath.Join("..", "..", "..")
	write.Env = append(os.Environ(), "EXPORT_SAMPLES="+samples)

	if out, err := write.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("write the samples: %w\n%s", err, out)
	}

	return m.Run(), nil
}

type database struct {
	*sql.DB

	t *testing.T
}

// open opens a database in memory that may fetch nothing.
func open(t *testing.T) database {
	t.Helper()

	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1) // Settings are a connection's.

	if _, err := db.ExecContext(t.Context(),
		"SET autoinstall_known_extensions = false; SET TimeZone = 'UTC'"); err != nil {
		t.Fatal(err)
	}

	return database{db, t}
}

// ask returns the answer, its columns divided by | and its rows by line breaks.
func (db database) ask(query string, args ...any) string {
	db.t.Helper()

	rows, err := db.QueryContext(db.t.Context(), query, args...)
	if err != nil {
		db.t.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()

	names, err := rows.Columns()
	if err != nil {
		db.t.Fatal(err)
	}

	var lines []string

	for rows.Next() {
		values, refs := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			refs[i] = &values[i]
		}

		if err := rows.Scan(refs...); err != nil {
			db.t.Fatal(err)
		}

		cells := make([]string, 0, len(values))

		for _, v := range values {
			if at, ok := v.(time.Time); ok {
				v = at.UTC().Format(time.RFC3339Nano)
			}

			cells = append(cells, fmt.Sprint(v))
		}

		lines = append(lines, strings.Join(cells, "|"))
	}

	if err := rows.Err(); err != nil {
		db.t.Fatalf("%v\n%s", err, query)
	}

	return strings.Join(lines, "\n")
}

func (db database) expect(want, query string, args ...any) {
	db.t.Helper()

	if got := db.ask(query, args...); got != want {
		db.t.Errorf("%s %v\ngot:\n%s\nwant:\n%s", query, args, got, want)
	}
}

// columns are the fields and what DuckDB has to take them for. Its JSON reader is
// told, since it would guess a type for the insides of raw.
var columns = strings.Fields(`id:VARCHAR time:TIMESTAMP_WITH_TIME_ZONE service:VARCHAR endpoint:VARCHAR account:VARCHAR
	action:VARCHAR operation:VARCHAR actor_type:VARCHAR actor_id:VARCHAR actor:VARCHAR resource_type:VARCHAR resource_id:VARCHAR resource_name:VARCHAR
	scope_type:VARCHAR scope_id:VARCHAR scope_name:VARCHAR origin:VARCHAR auth_type:VARCHAR ip_address:VARCHAR
	user_agent:VARCHAR correlation_id:VARCHAR message:VARCHAR changes:JSON raw:JSON`)

// parquetTypes are those of a Parquet file, which says that all text is text.
func parquetTypes() string { return strings.ReplaceAll(columnTypes("%s|%s"), "|JSON", "|VARCHAR") }

func columnTypes(format string) string {
	list := make([]string, 0, len(columns))

	for _, c := range columns {
		name, kind, _ := strings.Cut(c, ":")
		list = append(list, fmt.Sprintf(format, name, strings.ReplaceAll(kind, "_", " ")))
	}

	return strings.Join(list, "\n")
}

// table says how to read a format.
func table(format, more string) string {
	if format == "parquet" {
		return "read_parquet($1" + more + ")"
	}

	if format == "csv" {
		return "read_csv($1" + more + ")"
	}

	return "read_json($1, columns = {" + columnTypes("%s: '%s',") + "}" + more + ")"
}

// TestFormats reads each format with each compression as the same table. DuckDB
// knows the compression by the file's name.
func TestFormats(t *testing.T) {
	t.Parallel()

	db := open(t)
	files := 0

	for compression, ending := range map[string]string{"none": "", "gzip": ".gz", "zstd": ".zst"} {
		for _, format := range []string{"csv", "json", "ndjson", "parquet"} {
			if format == "parquet" {
				ending = ""
			}

			path, from := filepath.Join(samples, "log", compression, "all."+format+ending), table(format, "")
			files++

			db.expect("5000|5000|2026-01-01T23:59:58.123456Z|2026-01-02T02:46:36.123456Z",
				"SELECT count(*), count(DISTINCT id), min(time), max(time) FROM "+from, path)
			db.expect("delete|500\nread|4500",
				"SELECT operation, count(*) FROM "+from+" GROUP BY 1 ORDER BY 1", path)
			db.expect("o'brien, \"ops\"|<nil>|true\no'brien, \"ops\"|line\r\nbreak, ünïcödé 👩‍💻|false",
				"SELECT actor, message, changes IS NOT NULL FROM "+from+
					" WHERE id IN ('upcloud-000040', 'upcloud-000041') ORDER BY id", path)
			db.expect("4321|é4321",
				"SELECT json_extract(raw, '$.n')::INT, json_extract_string(raw, '$.nested.list[1].deep') FROM "+from+" WHERE id = 'upcloud-004321'", path)
			db.expect("labels.env|\"dev\"|null",
				"SELECT changes->0->>'field', changes->0->>'before', changes->0->>'after' FROM (SELECT changes::JSON AS changes FROM "+from+" WHERE id = 'upcloud-000000')", path)
		}
	}

	if files != 12 {
		t.Errorf("%d files", files)
	}
}

// TestParquetTypes looks at the columns and how they are stored.
func TestParquetTypes(t *testing.T) {
	t.Parallel()

	db, path := open(t), filepath.Join(samples, "log", "zstd", "all.parquet")

	db.expect(parquetTypes(), "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet($1))", path)
	db.expect("terraform-provider-audit version 1|5000|1", "SELECT created_by, num_rows, num_row_groups FROM parquet_file_metadata($1)", path)
	db.expect("action|server_delete|server_read\nactor|o'brien, \"ops\"|o'brien, \"ops\"\noperation|delete|read",
		`SELECT path_in_schema, stats_min_value, stats_max_value FROM parquet_metadata($1)
		WHERE contains(encodings, 'RLE_DICTIONARY') AND stats_min_value <> stats_max_value OR path_in_schema = 'actor' ORDER BY 1`, path)
	db.expect("PLAIN", "SELECT DISTINCT encodings FROM parquet_metadata($1) WHERE path_in_schema = 'id'", path)
	db.expect("2026-01-01 23:59:58.123456+00|2026-01-02 02:46:36.123456+00",
		"SELECT stats_min_value, stats_max_value FROM parquet_metadata($1) WHERE path_in_schema = 'time'", path)

	for compression, want := range map[string]string{"none": "UNCOMPRESSED", "gzip": "GZIP", "zstd": "ZSTD"} {
		db.expect(want, "SELECT DISTINCT compression FROM parquet_metadata($1)",
			filepath.Join(samples, "log", compression, "all.parquet"))
	}
}

// TestParquetValues compares every value with the same entries as NDJSON, read
// without DuckDB, in the order of the file.
func TestParquetValues(t *testing.T) {
	t.Parallel()

	for _, compression := range []string{"none", "gzip", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			t.Parallel()

			db, path := open(t), filepath.Join(samples, "values", compression+".parquet")
			compareRows(t, db, path)

			// Bounds decide what is read at all; wrong ones would lose rows.
			for i := 5; i < 250_000; i += 24_996 {
				if i >= 120_000 && i < 130_000 {
					continue
				}

				db.expect(fmt.Sprintf("cloudscale-%06d", i), "SELECT id FROM read_parquet($1) WHERE correlation_id = $2", path,
					fmt.Sprintf("%040d", i))
				db.expect(fmt.Sprintf("cloudscale-%06d", i), "SELECT id FROM read_parquet($1) WHERE actor = $2", path,
					strings.Repeat("é", 40)+fmt.Sprint(i))
				db.expect("25000", "SELECT count(*) FROM read_parquet($1) WHERE scope_name = $2", path,
					fmt.Sprintf("%s👩‍💻%d", strings.Repeat("é", 7), i%10))
				db.expect(fmt.Sprintf("cloudscale-%06d", i), "SELECT id FROM read_parquet($1) WHERE time = TIMESTAMPTZ '2026-01-01 23:59:58.123456+00' + to_seconds($2)", path, i*2)
			}
		})
	}
}

func compareRows(t *testing.T, db database, path string) {
	t.Helper()

	file, err := os.Open(filepath.Join(samples, "values", "all.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	rows, err := db.QueryContext(t.Context(), "SELECT * REPLACE (strftime(time, '%Y-%m-%dT%H:%M:%S.%fZ') AS time, changes::VARCHAR AS changes, raw::VARCHAR AS raw) FROM read_parquet($1)", path)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()

	lines, n := bufio.NewScanner(file), 0

	for ; rows.Next(); n++ {
		got, refs := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range got {
			refs[i] = &got[i]
		}

		if err := rows.Scan(refs...); err != nil {
			t.Fatal(err)
		}

		if !lines.Scan() {
			t.Fatalf("there are more than %d rows", n)
		}

		var want map[string]any

		d := json.NewDecoder(strings.NewReader(lines.Text()))
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}

		for i, c := range columns {
			name, kind, _ := strings.Cut(c, ":")
			if text := textOf(t, want[name], kind, got[i].String); got[i].Valid != (want[name] != nil) || got[i].String != text {
				t.Fatalf("row %d, %s: got %q, want %q", n, name, got[i].String, text)
			}
		}
	}

	if err := rows.Err(); err != nil || n != 250_000 || lines.Scan() {
		t.Errorf("%d rows, %v", n, err)
	}
}

// textOf returns a value of a line as the text that is in the column.
func textOf(t *testing.T, value any, kind, got string) string {
	t.Helper()

	if value == nil {
		return ""
	}

	if kind != "JSON" {
		return fmt.Sprint(value)
	}

	// Equal values may be written in more than one way.
	var other any
	if err := json.Unmarshal([]byte(got), &other); err != nil {
		t.Fatal(err)
	}

	if fmt.Sprint(value) == fmt.Sprint(other) {
		return got
	}

	return fmt.Sprint(value)
}

// TestEmptyFiles are evidence, too: nothing happened.
func TestEmptyFiles(t *testing.T) {
	t.Parallel()

	db := open(t)

	for _, format := range []string{"csv", "json", "ndjson", "parquet"} {
		db.expect("0", "SELECT count(id) FROM "+table(format, ""), filepath.Join(samples, "empty", "all."+format))
	}
}

// TestHive reads an archive's layout as one table, and no more files than a
// filter needs.
func TestHive(t *testing.T) {
	t.Parallel()

	for format, ending := range map[string]string{"parquet": "parquet", "ndjson": "ndjson"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()

			db := open(t)
			path, from := filepath.Join(samples, "archive", format, "*", "entries", "**", "*."+ending),
				table(format, ", hive_partitioning = true, filename = true")

			db.expect("cloudscale|2026-01-02T00:00:00Z|8|1\nupcloud|2026-01-01T00:00:00Z|1|1\nupcloud|2026-01-02T00:00:00Z|999|2",
				"SELECT cloud, date, count(*), count(DISTINCT filename) FROM "+from+" GROUP BY ALL ORDER BY ALL", path)
			db.expect("true|true", "SELECT bool_and(date = time::DATE), bool_and(cloud = service) FROM "+from, path)
			db.expect("01HQXYZ0000000000000000001|upcloud",
				"SELECT id, service FROM "+from+" WHERE cloud = 'upcloud' AND date = DATE '2026-01-01'", path)

			for want, where := range map[string]string{
				"3/4": "cloud = 'upcloud'", "1/4": "cloud = 'upcloud' AND date = DATE '2026-01-01'",
				"0/4": "date > DATE '2026-01-02'",
			} {
				plan := db.ask("EXPLAIN ANALYZE SELECT count(raw) FROM "+from+" WHERE "+where, path)
				if filesRead(plan) != want {
					t.Errorf("%s: %q files were read, want %s:\n%s", where, filesRead(plan), want, plan)
				}
			}
		})
	}
}

// filesRead finds in a plan how many files were read of how many.
func filesRead(plan string) string {
	_, rest, _ := strings.Cut(plan, "Scanning Files: ")
	read, _, _ := strings.Cut(rest, " ")

	return read
}
