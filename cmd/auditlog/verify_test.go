// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/format"
)

// single is a log of one entry.
type single struct{}

func (single) Info() auditlog.Info {
	return auditlog.Info{Name: auditlog.ServiceUpCloud, Title: "UpCloud", Retention: 180 * 24 * time.Hour}
}

func (single) FilterOptions(context.Context, auditlog.Query) (auditlog.FilterOptions, error) {
	return auditlog.FilterOptions{}, nil
}

func (single) Read(_ context.Context, q auditlog.Query, c *auditlog.Completeness) iter.Seq2[auditlog.Entry, error] {
	*c = auditlog.NewCompleteness(q.Window, time.Hour, q.Window.End)
	c.RowsFetched, c.Proof = 1, auditlog.ProofTotal

	return func(yield func(auditlog.Entry, error) bool) {
		yield(auditlog.Entry{
			ID: "01HQXYZ123456789ABCDEFGHJK", Time: q.Window.Start, Service: auditlog.ServiceUpCloud,
			Action: "delete", Raw: []byte(`{}`),
		}, nil)
	}
}

func auditlogRun(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()

	var out, errs bytes.Buffer

	code = run(t.Context(), args, testEnvironment(&out, &errs, time.Now))

	return code, out.String(), errs.String()
}

func TestVerifyCommand(t *testing.T) {
	t.Parallel()

	code, keys, _ := auditlogRun(t, "keygen", "example.com/audit")
	if code != 0 {
		t.Fatal(keys)
	}

	private, public, _ := strings.Cut(strings.TrimPrefix(keys, "AUDIT_SIGNING_KEY="), "\npublic key: ")
	public = strings.TrimSpace(public)

	dir := t.TempDir()
	r := archived(t, dir, private)
	head := fmt.Sprintf("1:%s", r.Head.SHA256)

	code, out, errs := auditlogRun(t, "verify", dir, "--public-key", public, "--head", head)
	origin, _, _ := strings.Cut(r.Checkpoint, "\n")
	want := "Archive        " + dir + "\nOrigin         " + origin + `
Service        upcloud
Manifests      1
Segments       1
Entries        1
From           2026-06-30T11:00:00.000000Z
To             2026-06-30T11:00:00.000000Z
Covered until  2026-06-30T11:59:00.000000Z
Head           ` + head + `
Signed by      example.com/audit
Unprotected    1 object: checkpoint
Read-only      9 objects
Verdict        OK
`

	if code != 0 || out != want || errs != "" {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", code, errs, out, want)
	}

	since := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(since, []byte(r.Checkpoint), 0o600); err != nil {
		t.Fatal(err)
	}

	if code, out, _ := auditlogRun(t, "verify", dir, "--public-key", public, "--since", since, "--origin",
		origin); code != 0 || strings.Contains(out, "Not checked") {
		t.Errorf("exit code %d, %s", code, out)
	}

	if code, out, _ := auditlogRun(t, "verify", dir, "--origin", origin+"x"); code != 1 ||
		!strings.Contains(out, "FOREIGN        checkpoint: it is the archive "+origin) {
		t.Errorf("exit code %d, %s", code, out)
	}

	keyFile := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(keyFile, []byte(public+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	if code, out, _ := auditlogRun(t, "verify", dir, "--public-key", keyFile); code != 0 ||
		!strings.Contains(out, "Not checked    Whether the end was cut off: ") {
		t.Errorf("exit code %d, %s", code, out)
	}

	if err := os.WriteFile(keyFile, []byte("public key: "+public+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	if code, out, errs := auditlogRun(t, "verify", dir, "--public-key", keyFile); code != 0 {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}

	if err := os.WriteFile(keyFile, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}

	if code, _, errs := auditlogRun(t, "verify", dir, "--public-key", keyFile); code != 2 ||
		!strings.Contains(errs, "holds a private key") || strings.Contains(errs, private) {
		t.Errorf("exit code %d, %s", code, errs)
	}

	_, other, _ := auditlogRun(t, "keygen", "example.com/audit")
	_, other, _ = strings.Cut(other, "\npublic key: ")

	const quorum = "--quorum must be from 1 to the number of witnesses given, which is 0"
	if code, out, errs := auditlogRun(t, "verify", dir, "--quorum", "0"); code != 2 || !strings.Contains(errs, quorum) {
		t.Errorf("a quorum of none: exit code %d, %s%s", code, out, errs)
	}

	name := strings.Join(strings.SplitN(other, "+", 3)[:2], "+") //nolint:mnd // Of a name, a hash and a key.
	if code, out, _ := auditlogRun(t, "verify", dir, "--public-key", other); code != 1 ||
		!strings.Contains(out, "SIGNATURE      checkpoint: it is not signed by "+name+"\n") {
		t.Errorf("exit code %d, %s", code, out)
	}

	if err := os.WriteFile(filepath.Join(dir, "README"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	code, out, errs = auditlogRun(t, "verify", dir, "--json")

	var report archive.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 1 || report.Valid || len(report.Problems) != 1 ||
		report.Problems[0].Key != "README" {
		t.Errorf("exit code %d, %v, %s", code, err, out)
	}

	if errs != "auditlog: the archive is not what it should be\n" {
		t.Errorf("standard error is %q", errs)
	}

	for _, args := range [][]string{
		{"verify", dir, "--head", "1"},
		{"verify", dir, "--since", "x"},
		{"verify", dir, "--public-key", "x"},
		{"verify", "s3://"},
	} {
		if code, _, errs := auditlogRun(t, args...); code != 2 || errs == "" {
			t.Errorf("%v: exit code %d, %q", args, code, errs)
		}
	}

	if code, _, errs := auditlogRun(t, "keygen", "a b"); code != 2 || errs == "" {
		t.Errorf("exit code %d, %q", code, errs)
	}
}

// TestVerifySaysWhatIsThere: pointed at something else than an archive, it says what that is and what to type.
func TestVerifySaysWhatIsThere(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	for _, name := range []string{"parent/archive/checkpoints", "empty", "other"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	for _, name := range []string{"other/a.txt", "file.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for name, want := range map[string]string{
		"parent": "there is one below it: type auditlog verify " + strconv.Quote(filepath.Join(dir, "parent", "archive")),
		"empty":  "is empty",
		"other":  "holds no archive and no export", "nothing": "there is nothing at",
	} {
		if code, _, errs := auditlogRun(t, "verify", filepath.Join(dir, name)); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, %s", name, code, errs)
		}
	}
}

// TestProveCommand: what is proven is verified with nothing else at hand.
func TestProveCommand(t *testing.T) {
	t.Parallel()

	_, keys, _ := auditlogRun(t, "keygen", "example.com/audit")
	private, public, _ := strings.Cut(strings.TrimPrefix(keys, "AUDIT_SIGNING_KEY="), "\npublic key: ")
	public = strings.TrimSpace(public)

	dir := t.TempDir()
	archived(t, dir, private)

	proof := filepath.Join(t.TempDir(), "deletion.tlog-proof")

	if code, _, errs := auditlogRun(t, "prove", dir, "--id", "01HQXYZ123456789ABCDEFGHJK", "--public-key", public, "-o",
		proof); code != 0 {
		t.Fatalf("exit code %d, %s", code, errs)
	}

	code, out, errs := auditlogRun(t, "verify", proof, "--public-key", public)
	if code != 0 || !strings.HasSuffix(out, "Verdict        OK\n") || !strings.Contains(out, "Signed by      example.com/audit\nEntry          {\"id\":\"01HQXYZ123456789ABCDEFGHJK\",") ||
		!strings.HasPrefix(out, "Proof of entry "+proof+"\n") || !strings.Contains(out, "\nNot checked    The archive: this is a proof of one entry that was in it.\nVerdict") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}

	if code, out, _ := auditlogRun(t, "verify", proof); code != 0 || !strings.Contains(out, "Not checked    Who signed") {
		t.Errorf("exit code %d, %s", code, out)
	}

	var report struct {
		Valid      bool     `json:"valid"`
		Entry      string   `json:"entry"`
		NotChecked []string `json:"not_checked"`
	}

	_, out, _ = auditlogRun(t, "verify", proof, "--json")
	if err := json.Unmarshal([]byte(out), &report); err != nil || !report.Valid ||
		!strings.Contains(report.Entry, `"id":"01HQXYZ123456789ABCDEFGHJK"`) || len(report.NotChecked) != 2 {
		t.Errorf("%v: %s", err, out)
	}

	_, other, _ := auditlogRun(t, "keygen", "example.com/audit")
	_, other, _ = strings.Cut(other, "\npublic key: ")

	if code, out, _ := auditlogRun(t, "verify", proof, "--public-key", other); code != 1 ||
		!strings.Contains(out, "not signed by the expected key") {
		t.Errorf("exit code %d, %s", code, out)
	}

	for _, tc := range []struct {
		code int
		args []string
	}{
		{1, []string{"prove", dir, "--id", "b"}},
		{2, []string{"prove", dir, "--id", "01HQXYZ123456789ABCDEFGHJK", "-o", proof}},
		{2, []string{"prove", dir, "--id", "01HQXYZ123456789ABCDEFGHJK", "--public-key", other}},
	} {
		if code, _, errs := auditlogRun(t, tc.args...); code != tc.code || errs == "" {
			t.Errorf("%v: exit code %d", tc.args, code)
		}
	}
}

// TestKeygenWritesAPrivateFile: nobody else can read it, and nothing is replaced.
func TestKeygenWritesAPrivateFile(t *testing.T) {
	t.Parallel()

	file := filepath.Join(t.TempDir(), "key")

	code, out, _ := auditlogRun(t, "keygen", "example.com/audit", "-o", file)
	if code != 0 || strings.Contains(out, "PRIVATE") || !strings.HasPrefix(out, "public key: ") {
		t.Errorf("exit code %d, %s", code, out)
	}

	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), "PRIVATE+KEY+example.com/audit+") {
		t.Errorf("%v, %s", err, text)
	}

	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("%v, %v", info.Mode(), err)
	}

	if code, _, _ := auditlogRun(t, "keygen", "example.com/audit", "-o", file); code != 2 {
		t.Errorf("exit code %d", code)
	}
}

// archived makes an archive of one entry.
func archived(t *testing.T, dir, private string) archive.Result {
	t.Helper()

	signer, err := archive.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}

	store, err := durable.OpenStore(t.Context(), dir, durable.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}

	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

	a, err := archive.Open(t.Context(), archive.Options{
		Store: store, Service: single{}, Format: format.NDJSON, Compression: format.Uncompressed, Start: now.Add(-time.Hour),
		Signer: signer, Clock: func() time.Time { return now }, Tool: "test",
	})
	if err != nil {
		t.Fatal(err)
	}

	r, err := a.Append(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	return r
}

// The files of an export are verified by any of their names.
func TestVerifyCommandOfExports(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	path := filepath.Join(dir, "june.csv")
	now := time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

	var c auditlog.Completeness

	q := auditlog.Query{Window: auditlog.Window{Start: now.Add(-time.Hour), End: now}}

	r, err := export.Write(t.Context(), export.Spec{
		Path: path, Format: format.CSV, SpreadsheetSafe: true, Tool: "test", Query: q, Info: single{}.Info(), ExportedAt: now,
	}, single{}.Read(t.Context(), q, &c), &c)
	if err != nil {
		t.Fatal(err)
	}

	want := "Export         " + path + `
Service        upcloud
Format         csv
Entries        1
From           2026-06-30T11:00:00.000000Z
To             2026-06-30T12:00:00.000000Z
Manifest       ` + r.ManifestSHA256 + `
Origin         not checked: compare the line above with manifest_sha256 in Terraform's state, or with what auditlog printed
`

	for _, file := range []string{path, path + ".manifest.json", path + ".sha256"} {
		if code, out, errs := auditlogRun(t, "verify", file); code != 0 || out != want+"Verdict        OK\n" || errs != "" {
			t.Errorf("exit code %d, %s\n%s\nwant\n%s", code, errs, out, want)
		}
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), 0o600); err != nil {
		t.Fatal(err)
	}

	code, out, errs := auditlogRun(t, "verify", path)
	if want += "ALTERED        " + path + ": it is not what the manifest says; it matches after line endings are restored, which programs such as Git change\n" +
		"Verdict        NOT OK: 1 finding\n"; code != 1 || out != want ||
		errs != "auditlog: the export is not what it should be\n" {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", code, errs, out, want)
	}

	var report export.Report
	if code, out, _ := auditlogRun(t, "verify", path, "--json"); json.Unmarshal([]byte(out), &report) != nil ||
		code != 1 || report.Valid || len(report.Problems) != 1 {
		t.Errorf("exit code %d, %s", code, out)
	}

	if code, _, errs := auditlogRun(t, "verify", path, "--head", "1:x"); code != 2 ||
		!strings.Contains(errs, "are for archives") {
		t.Errorf("exit code %d, %s", code, errs)
	}

	if code, out, _ := auditlogRun(t, "verify", dir); code != 1 || !strings.HasPrefix(out, "Export         "+path) {
		t.Errorf("exit code %d, %s", code, out)
	}

	// A name of a file is text, not what a terminal obeys.
	hostile := path + "\x1b[2J"
	if err := os.WriteFile(hostile, nil, 0o600); err != nil {
		t.Skip("the file system has no such names")
	}

	if code, out, errs := auditlogRun(t, "verify", hostile); code == 0 || strings.ContainsAny(out+errs, "\x1b") {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
}

// TestVerifyPaintsNothing: whoever may write into an archive's place, or pass an
// argument on, decides on names and texts, but not on what the report looks like.
func TestVerifyPaintsNothing(t *testing.T) {
	t.Parallel()

	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such names")
	}

	const evil = "x\nVerdict        OK\x1b[2J\u202e\u009b\u2028\x7f\r"

	for _, name := range []string{evil, "\xff", "manifests"} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "manifests"), 0o700); err != nil {
			t.Fatal(err)
		}

		manifest := strings.ReplaceAll(fmt.Sprintf(`{"manifest_version":2,"sequence":1,"service":"upcloud","source":{"service":"upcloud","endpoint":%[1]q,"account":%[1]q},"previous":"","tool":%[1]q,`+
			`"supplement":{"key":"supplements/00000001-%[1]s"},"segment":null,"total_count":0,"start":"2026-01-01T00:00:00Z","covered_until":"2026-01-01T00:00:00Z","read_until":"2026-01-01T00:00:00Z"}`,
			`\nVerdict        OK\u001b[2J\u202e`), `\\`, `\`)
		root := tlog.RecordHash([]byte(manifest))
		point := "auditlogs.audit/upcloud/0123456789abcdef\n1\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n"

		for file, text := range map[string]string{
			name + ".txt": "", "manifests/00000001-x.json": manifest,
			"checkpoints/00000001": point, "checkpoint": evil,
		} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
				t.Fatal(err)
			}

			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}

		for _, args := range [][]string{
			{"verify", dir},
			{"verify", dir, "--json"},
			{"verify", dir + "/" + evil},
			{"verify", dir, "--head", evil},
			{"verify", evil + "://"},
			{evil},
			{"verify", dir, "--" + evil},
			{"mock", "--fault", evil},
			{"mock", "--load", evil},
			{"mock", "--now", evil},
		} {
			code, out, errs := auditlogRun(t, args...)
			if code == 0 {
				t.Errorf("%q: exit code %d", args, code)
			}

			for _, text := range []string{out, errs} {
				if strings.ContainsFunc(text,
					func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) || r == utf8.RuneError && name != "\xff" }) ||
					!utf8.ValidString(text) {
					t.Errorf("%q: a terminal would obey %q", args, text)
				}

				if strings.Contains("\n"+text, "\nVerdict        OK") {
					t.Errorf("%q: it looks like a verdict: %s", args, text)
				}
			}
		}
	}
}

// TestReportsInJSONAreExact: an escape in JSON is what it stands for.
func TestReportsInJSONAreExact(t *testing.T) {
	t.Parallel()

	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such names")
	}

	const name = "a\x1b\u202e\u009bé.txt"

	dir := t.TempDir()
	for _, name := range []string{name, "checkpoint"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	_, out, _ := auditlogRun(t, "verify", dir, "--json")

	var report archive.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}

	for _, p := range report.Problems {
		if p.Key == name {
			return
		}
	}

	t.Errorf("no problem is of %q: %s", name, out)
}

// TestAFileNamedLikeTheKey: README.txt of every archive says "auditlog verify . --public-key KEY", in the archive
// itself. Whoever can write there puts a file there whose name is the public key and that holds another key, which has
// signed everything.
func TestAFileNamedLikeTheKey(t *testing.T) {
	_, public := keysOf(t)
	for strings.Contains(public, "//") || strings.HasSuffix(public, "/") {
		_, public = keysOf(t)
	}

	// Another key of the same name. Nothing was ever signed by the owner's.
	evil, evilPublic := keysOf(t)

	dir := t.TempDir()
	archived(t, dir, evil)

	write := func(key string, data []byte) {
		path := filepath.Join(dir, filepath.FromSlash(key))
		_ = os.MkdirAll(filepath.Dir(path), 0o700)
		_ = os.Remove(path)

		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := func(data []byte) string { h := sha256.Sum256(data); return hex.EncodeToString(h[:]) }

	// The file that is named like the owner's public key.
	write(public, []byte(evilPublic+"\n"))

	// Manifest 1 names it, and the log is made anew.
	names, _ := filepath.Glob(filepath.Join(dir, "manifests", "*"))
	data, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}

	_ = os.Remove(names[0])

	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}

	m["files"] = append(m["files"].([]any),
		map[string]any{"key": public, "bytes": len(evilPublic) + 1, "sha256": sum([]byte(evilPublic + "\n"))})

	if data, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}

	write("manifests/00000001-"+sum(data)[:16]+".json", data)

	root := tlog.RecordHash(data)
	write("tile/0/000.p/1", root[:])
	write("tile/entries/000.p/1", append([]byte{byte(len(data) >> 8), byte(len(data))}, data...))

	first, _ := os.ReadFile(filepath.Join(dir, "checkpoints", "00000000"))
	origin, _, _ := strings.Cut(string(first), "\n")

	signer, err := note.NewSigner(evil)
	if err != nil {
		t.Fatal(err)
	}

	text, err := note.Sign(&note.Note{Text: origin + "\n1\n" + root.String() + "\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}

	write("checkpoints/00000001", text)
	write("checkpoint", text)

	// Elsewhere it shows.
	if code, out, _ := auditlogRun(t, "verify", dir, "--public-key", public); code != 1 {
		t.Fatalf("exit code %d, %s", code, out)
	}

	// Where README.txt says to type it, it does not.
	t.Chdir(dir)

	if code, out, errs := auditlogRun(t, "verify", ".", "--public-key", public); code == 0 {
		t.Errorf("an archive that the key %s never signed is OK:\n%s%s", public, out, errs)
	}
}

// keysOf makes a pair of keys, all of the same name.
func keysOf(t *testing.T) (private, public string) {
	t.Helper()

	_, keys, _ := auditlogRun(t, "keygen", "example.com/audit")
	private, public, _ = strings.Cut(strings.TrimPrefix(keys, "AUDIT_SIGNING_KEY="), "\npublic key: ")

	return private, strings.TrimSpace(public)
}

// TestOptionsAreNotEmpty: a variable that is not set, such as of a step that failed, turns no check off.
func TestOptionsAreNotEmpty(t *testing.T) {
	t.Parallel()

	private, public := keysOf(t)
	dir := t.TempDir()
	archived(t, dir, private)

	for _, option := range []string{
		"--head", "--since", "--origin", "--timestamp-certificates", "--public-key",
		"--witness", "--quorum",
	} {
		for _, args := range [][]string{{option, ""}, {option + "="}} {
			if code, out, errs := auditlogRun(t,
				append([]string{"verify", dir, "--public-key", public}, args...)...); code != 2 || out != "" || errs == "" {
				t.Errorf("%q: exit code %d, %s%s", args, code, out, errs)
			}
		}
	}
}

// TestMisuseIsNoFinding: exit code 1 is for what is altered.
func TestMisuseIsNoFinding(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	for _, args := range [][]string{
		{"verify", dir, "--sine", "x"},
		{"verify"},
		{"verify", dir, "--quorum", "many"},
		{"prove", dir},
		{"prove", dir, "--id", "x", "--public-key", "x"},
		{"keygen", "example.com/audit", "-o", ""},
		{"prov", dir},
	} {
		if code, _, errs := auditlogRun(t, args...); code != 2 {
			t.Errorf("%v: exit code %d, %s", args, code, errs)
		}
	}
}

// TestTheSameKeyTwice: a key that is given twice, as text and as file or in a list with the one of before, is one key.
func TestTheSameKeyTwice(t *testing.T) {
	t.Parallel()

	private, public := keysOf(t)
	dir := t.TempDir()
	archived(t, dir, private)

	if code, out, errs := auditlogRun(t, "verify", dir, "--public-key", public, "--public-key", "public key: "+public+
		"\n"); code != 0 {
		t.Errorf("an archive that nobody has touched, exit code %d:\n%s%s", code, out, errs)
	}
}

// TestAProofInPlaceOfTheArchive: anybody can make a proof and leave it under the name of the archive. The command that
// verifies the archive does not verify the proof.
func TestAProofInPlaceOfTheArchive(t *testing.T) {
	t.Parallel()

	private, public := keysOf(t)
	dir := filepath.Join(t.TempDir(), "archive")
	r := archived(t, dir, private)
	origin, _, _ := strings.Cut(r.Checkpoint, "\n")

	verify := []string{"verify", dir, "--public-key", public, "--origin", origin}
	if code, out, errs := auditlogRun(t, verify...); code != 0 {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}

	_, proof, _ := auditlogRun(t, "prove", dir, "--id", "01HQXYZ123456789ABCDEFGHJK")

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(dir, []byte(proof), 0o600); err != nil {
		t.Fatal(err)
	}

	want := "is a file with a proof of one entry, not an archive: if a proof is what you mean, type auditlog verify --proof " + strconv.Quote(dir)
	if code, out, errs := auditlogRun(t, verify...); code != 2 || out != "" || !strings.Contains(errs, want) {
		t.Errorf("the archive is gone, exit code %d, %s%s", code, out, errs)
	}

	if code, out, errs := auditlogRun(t, append(verify, "--proof")...); code != 0 ||
		!strings.HasPrefix(out, "Proof of entry "+dir+"\n") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}

	if err := os.WriteFile(dir, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}

	for place, want := range map[string]string{
		dir: "is no proof", filepath.Dir(dir): "read the proof",
		dir + "x": "read the proof", "s3://bucket": "read the proof",
	} {
		if code, _, errs := auditlogRun(t, "verify", "--proof", place); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, %s", place, code, errs)
		}
	}
}
