// SPDX-License-Identifier: MPL-2.0

package archive_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
)

// proofRecipe is the script that verifies proofs without our code.
const proofRecipe = "../../examples/archive/verify-proof.sh"

func needProofTools(t *testing.T) {
	t.Helper()

	if raceflag.Enabled {
		t.Skip("the script has no data races; make simulate runs it")
	}

	for _, tool := range []string{"sh", "jq", "sha256sum", "xxd", "openssl", "sort", "cmp", "mktemp"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the recipe needs %s, which is not installed", tool)
		}
	}

	if help, _ := exec.CommandContext(t.Context(), "openssl", "pkeyutl", "-help").CombinedOutput(); !bytes.Contains(help,
		[]byte("-rawin")) {
		t.Skip("openssl is too old to verify Ed25519")
	}
}

// runProofRecipe returns how the script exits and what it prints.
func runProofRecipe(t *testing.T, args ...string) (code int, out, problem string) {
	t.Helper()

	cmd := exec.CommandContext(t.Context(), "sh", append([]string{proofRecipe}, args...)...)

	var stdout, stderr strings.Builder

	cmd.Stdout, cmd.Stderr = &stdout, &stderr

	if exit := (*exec.ExitError)(nil); !errors.As(cmd.Run(), &exit) {
		return 0, stdout.String(), stderr.String()
	} else if exit.Exited() {
		return exit.ExitCode(), stdout.String(), stderr.String()
	}

	t.Fatal("the script was killed")

	return 0, "", ""
}

// proofWorld grows an archive by one manifest at a time, of as many entries as its number.
type proofWorld struct {
	*world

	store     *memory
	signer    note.Signer
	verifiers []note.Verifier
	public    string
}

func newProofWorld(t *testing.T) *proofWorld {
	t.Helper()

	private, public, err := archive.GenerateKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	w := &proofWorld{world: newWorld(t, auditlog.ServiceUpCloud, 1), store: newMemory(), public: public}

	if w.signer, err = archive.ParsePrivateKey(private); err != nil {
		t.Fatal(err)
	}

	verifier, err := archive.ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}

	w.verifiers = []note.Verifier{verifier}

	return w
}

// grow adds a manifest of n entries and returns their ids.
func (w *proofWorld) grow(n int) []string {
	first := w.serial

	w.now = w.now.Add(24 * time.Hour)

	for i := range n {
		w.happen(1, w.now.Add(-12*time.Hour+time.Duration(i)*2*time.Second))
	}

	o := w.options(w.store)
	o.Signer = w.signer
	w.mustApply(o)

	ids := make([]string, 0, n)
	for i := range n {
		ids = append(ids, fmt.Sprintf("01HQXYZ%019d", first+i+1))
	}

	return ids
}

// prove returns the proof of an entry, and what the script has to print of it.
func (w *proofWorld) prove(t *testing.T, id string) (proof, want string) {
	t.Helper()

	data, err := archive.Prove(t.Context(), w.store, w.verifiers, id)
	if err != nil {
		t.Fatal(err)
	}

	p, err := archive.VerifyProof(data, archive.VerifyOptions{Verifiers: w.verifiers})
	if err != nil {
		t.Fatal(err)
	}

	return string(data), fmt.Sprintf("OK: entry %v of manifest %d of %d of %s, signed by %s:\n%s\n",
		extraOf(t, string(data))["entry_index"], p.Manifest.Sequence, p.Checkpoint.Tree.N, p.Checkpoint.Origin, p.SignedBy,
		p.Entry)
}

// extraOf is the JSON of a proof.
func extraOf(t *testing.T, proof string) map[string]any {
	t.Helper()

	var extra map[string]any
	if err := json.Unmarshal(extraTextOf(t, proof), &extra); err != nil {
		t.Fatal(err)
	}

	return extra
}

func extraTextOf(t *testing.T, proof string) []byte {
	t.Helper()

	text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.Split(proof, "\n")[1], "extra "))
	if err != nil {
		t.Fatal(err)
	}

	return text
}

func withExtra(proof, text string) string {
	lines := strings.Split(proof, "\n")
	lines[1] = "extra " + base64.StdEncoding.EncodeToString([]byte(text))

	return strings.Join(lines, "\n")
}

// TestProofRecipe: what the documentation says can be verified without our code can be,
// whatever the shapes of the two trees.
func TestProofRecipe(t *testing.T) {
	t.Parallel()
	needProofTools(t)

	w := newProofWorld(t)
	path, keyFile := filepath.Join(t.TempDir(), "proof"), filepath.Join(t.TempDir(), "key.pub")

	if err := os.WriteFile(keyFile, []byte("public key: "+w.public+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	var ids [][]string

	for size := 1; size <= 20; size++ {
		ids = append(ids, w.grow(size))

		// Around the sizes of full trees, and some in between.
		if !slices.Contains([]int{1, 2, 3, 4, 5, 7, 8, 9, 11, 16, 17, 20}, size) {
			continue
		}

		last, middle := ids[size-1], ids[size/2]

		for _, id := range [][]string{{ids[0][0], last[size-1]}, {middle[len(middle)-1], last[0]}, {last[size/2]}}[size%3] {
			proof, want := w.prove(t, id)
			if err := os.WriteFile(path, []byte(proof), 0o600); err != nil {
				t.Fatal(err)
			}

			origin, _, _ := strings.Cut(proof[strings.Index(proof, "\n\n")+2:], "\n")

			for _, args := range [][]string{{path, w.public}, {path, keyFile, origin}}[size%2 : 1+size%2] {
				if code, out, problem := runProofRecipe(t, args...); code != 0 || out != want {
					t.Fatalf("%d manifests, %s: %d, %s\ngot:  %s\nwant: %s", size, id, code, problem, out, want)
				}
			}
		}
	}

	text, err := os.ReadFile(proofRecipe)
	if lines := strings.Count(string(text), "\n"); err != nil || lines > 60 {
		t.Errorf("it has %d lines, %v", lines, err)
	}
}

// TestProofRecipeIsNotFooled: what is not as it was proves nothing else, and what is no
// proof is not said to be a wrong one.
func TestProofRecipeIsNotFooled(t *testing.T) {
	t.Parallel()
	needProofTools(t)

	w := newProofWorld(t)

	var ids []string
	for n := range 7 {
		ids = append(ids, w.grow(n + 4)[2])
	}

	good, want := w.prove(t, ids[3])
	elsewhere, _ := w.prove(t, ids[4])

	other := newProofWorld(t)
	other.signer, other.verifiers, other.public = w.signer, w.verifiers, w.public
	other.grow(4)
	theirs, _ := other.prove(t, "01HQXYZ0000000000000000003")

	impostor := newProofWorld(t)
	private, _, err := archive.GenerateKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	if impostor.signer, err = archive.ParsePrivateKey(private); err != nil {
		t.Fatal(err)
	}

	impostor.grow(4)

	dir := t.TempDir()
	check := func(name, text string, code int, args ...string) {
		t.Helper()

		path := filepath.Join(dir, "proof")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		if len(args) == 0 {
			args = []string{w.public}
		}

		got, out, problem := runProofRecipe(t, append([]string{path}, args...)...)

		switch {
		case got != code, got == 0 && out != want, got != 0 && (out != "" || problem == ""):
			t.Errorf("%s: %d, want %d, %s\n%s", name, got, code, problem, out)
		case got == 1 && !strings.HasPrefix(problem, "NOT OK: "), got == 2 && !strings.HasPrefix(problem, "NOT CHECKED: "):
			t.Errorf("%s: %s", name, problem)
		}
	}

	head, checkpoint, _ := strings.Cut(good, "\n\n")
	_, otherCheckpoint, _ := strings.Cut(theirs, "\n\n")
	body, signature, _ := strings.Cut(checkpoint, "\n\n")
	origin, _, _ := strings.Cut(body, "\n")
	lines := strings.Split(good, "\n")
	extra := string(extraTextOf(t, good))

	replaced := func(n int, line string) string {
		changed := slices.Clone(lines)
		changed[n] = line

		return strings.Join(changed, "\n")
	}
	edited := func(change func(map[string]any)) string {
		e := extraOf(t, good)
		change(e)

		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}

		return withExtra(good, string(text))
	}
	first := func(e map[string]any) string { return e["entry"].(string) }

	check("untouched", good, 0)
	check("the archive that is meant", good, 0, w.public, origin)
	check("the same JSON, written otherwise", edited(func(map[string]any) {}), 0)

	// Every line, in some places each. What is changed means the same or proves nothing.
	for n, line := range lines[:len(lines)-1] {
		check(fmt.Sprintf("line %d twice", n+1), strings.Join(slices.Insert(slices.Clone(lines), n, line), "\n"),
			map[bool]int{true: 0, false: 1}[n == len(lines)-2])
		check(fmt.Sprintf("no line %d", n+1), cutLine(good, n), map[bool]int{true: 2, false: 1}[n == 0])

		for _, at := range slices.Compact([]int{len(line) / 3, len(line) - 1}) {
			if at < 0 || at >= len(line) || raceflag.Enabled && at > 0 {
				continue
			}

			changed := []byte(line)
			changed[at] ^= 1
			check(fmt.Sprintf("line %d, byte %d", n+1, at), replaced(n, string(changed)),
				map[bool]int{true: 2, false: 1}[n == 0])
		}

		check(fmt.Sprintf("line %d with a space", n+1), replaced(n, line+" "), map[bool]int{true: 2, false: 1}[n == 0])
	}

	for name, text := range map[string]string{
		"another log":                strings.Replace(good, checkpoint, otherCheckpoint, 1),
		"the entry of another proof": replaced(1, strings.Split(elsewhere, "\n")[1]),
		"no signature":               head + "\n\n" + body + "\n\n",
		"no empty line":              head + "\n\n" + body + "\n" + signature,
		"unsigned":                   head + "\n\n" + body + "\n",
		"text behind the signatures": good + "\nx\n",
		"cut":                        good[:len(good)/2],
		"cut within the signature":   good[:len(good)-3],
		"without the last line feed": good[:len(good)-1],
		"carriage returns":           strings.Replace(good, "\nindex", "\r\nindex", 1),
		"zero bytes":                 strings.Replace(good, "\nindex", "\x00\nindex", 1),
		"garbage in the entry":       replaced(1, lines[1][:100]+" \t"+lines[1][100:]),
		"garbage in the path":        replaced(3, lines[3][:9]+"-"+lines[3][9:]),
		"loose bits in the path":     replaced(3, lines[3][:42]+string(lines[3][42]+1)+"="),
		"padding in the path":        replaced(3, lines[3]+"===="),
		"a longer path":              replaced(3, lines[3]+"\n"+lines[3]),
		"an index with a zero":       replaced(2, "index 03"),
		"an index with a sign":       replaced(2, "index +3"),
		"an index of 2^64 more":      replaced(2, "index 18446744073709551619"),
		"an index beyond the log":    replaced(2, "index 7"),
		"an index of 8 more":         replaced(2, "index 11"),
		"a huge log":                 strings.Replace(good, "\n7\n", "\n99999999999999999999\n", 1),
		"a command as index":         replaced(2, "index $(touch x)"),
		"a variable as index":        replaced(2, "index n"),
		"no JSON":                    withExtra(good, "x"),
		"no value":                   withExtra(good, ""),
		"two values":                 withExtra(good, extra+extra),
		"another value behind it":    withExtra(good, extra+"{}"),
		"the entry twice": withExtra(good,
			strings.Replace(extra, `{"entry":`, `{"entry":"another","entry":`, 1)),
		"the entry twice, the last one": withExtra(good, strings.TrimSuffix(extra, "}")+`,"entry":"another"}`),
		"the entry twice, as an object": withExtra(good,
			strings.Replace(extra, `{"entry":`, `{"entry":{"id":"another"},"entry":`, 1)),
		"the entry twice, escaped": withExtra(good,
			strings.Replace(extra, `{"entry":`, `{"\u0065ntry":"another","entry":`, 1)),
		"the entry in capitals": withExtra(good,
			strings.Replace(extra, `{"entry":`, `{"Entry":"another","entry":`, 1)),
		"a zero byte in the entry":     withExtra(good, strings.Replace(extra, `"entry":"{`, `"entry":"\u0000{`, 1)),
		"a line feed behind the entry": edited(func(e map[string]any) { e["entry"] = first(e) + "\n" }),
		"a lone surrogate":             withExtra(good, strings.Replace(extra, `"entry":"{`, `"entry":"\ud800{`, 1)),
		"no UTF-8":                     withExtra(good, strings.Replace(extra, `"entry":"{`, "\"entry\":\"\xff{", 1)),
		"another place":                edited(func(e map[string]any) { e["entry_index"] = 3 }),
		"a place of 2^53 more": withExtra(good,
			strings.Replace(extra, `"entry_index":2`, `"entry_index":9007199254740994`, 1)),
		"a place of 8 more":           edited(func(e map[string]any) { e["entry_index"] = 10 }),
		"a place below zero":          edited(func(e map[string]any) { e["entry_index"] = -2 }),
		"a place as text":             edited(func(e map[string]any) { e["entry_index"] = "2" }),
		"a place between two":         edited(func(e map[string]any) { e["entry_index"] = 2.5 }),
		"a shorter path of the entry": edited(func(e map[string]any) { e["entry_path"] = e["entry_path"].([]any)[1:] }),
		"a longer path of the entry": edited(
			func(e map[string]any) { e["entry_path"] = append(e["entry_path"].([]any), strings.Repeat("0", 64)) },
		),
		"no path of the entry": edited(func(e map[string]any) { e["entry_path"] = nil }),
		"a path of text": edited(
			func(e map[string]any) { e["entry_path"].([]any)[0] = e["entry_path"].([]any)[0].(string) + "\n" },
		),
		"a root as entry": edited(func(e map[string]any) { e["entry_path"] = []any{} }),
		"a longer salt": edited(func(e map[string]any) {
			e["salt"], e["entry"] = e["salt"].(string)+"7b",
				first(e)[1:]
		}),
		"a salt in capitals":      edited(func(e map[string]any) { e["salt"] = strings.ToUpper(e["salt"].(string)) }),
		"a salt with a line feed": edited(func(e map[string]any) { e["salt"] = e["salt"].(string) + "\n" }),
		"a shorter salt": edited(func(e map[string]any) {
			e["salt"], e["entry"] = e["salt"].(string)[:62], "\u0001"+first(e)
		}),
		"another manifest": edited(func(e map[string]any) {
			e["manifest"] = strings.Replace(e["manifest"].(string), `"tool": "test"`, `"tool": "x"`, 1)
		}),
		"the manifest as object":  withExtra(good, strings.Replace(extra, `"manifest":"`, `"manifest":{},"x":"`, 1)),
		"an option as entry":      edited(func(e map[string]any) { e["entry"] = "-n" }),
		"a key more":              edited(func(e map[string]any) { e["x"] = 1 }),
		"the header twice":        "c2sp.org/tlog-proof@v1\n" + good,
		"an entry of a signature": head + "\n\n" + body + "\n\n" + strings.Replace(signature, "— ", "- ", 1),
	} {
		if text == good {
			t.Errorf("%s: nothing was changed", name)
		}

		check(name, text, 1)
	}

	forged, err := archive.Prove(t.Context(), impostor.store, nil, "01HQXYZ0000000000000000003")
	if err != nil {
		t.Fatal(err)
	}

	_, impostors, _ := strings.Cut(strings.SplitN(string(forged), "\n\n", 2)[1], "\n\n")

	check("a key of the same name", string(forged), 1)
	check("the signature of another key", head+"\n\n"+body+"\n\n"+impostors, 1)
	check("signatures of others, too", head+"\n\n"+body+"\n\n"+impostors+"— x.example y\n"+signature+impostors, 0)
	check("another archive", good, 1, w.public, "auditlogs.audit/upcloud/0123456789abcdef")
	check("their key", good, 1, impostor.public)
	check("a key of another name", good, 1, strings.Replace(w.public, "example.com/audit", "example.com/other", 1))

	for name, key := range map[string]string{
		"no key": "", "half a key": w.public[:40], "a private key": private,
		"another algorithm": w.public[:len(w.public)-44] + "Ag" + w.public[len(w.public)-42:],
	} {
		check(name, good, map[bool]int{true: 1, false: 2}[name == "another algorithm"], key)
	}

	for name, text := range map[string]string{
		"nothing": "", "a text": "hello\n", "an archive's checkpoint": checkpoint,
		"another version": strings.Replace(good, "@v1", "@v10", 1),
	} {
		check(name, text, 2)
	}

	for _, args := range [][]string{
		{},
		{filepath.Join(dir, "proof")},
		{dir, w.public},
		{filepath.Join(dir, "none"), w.public},
	} {
		if code, out, _ := runProofRecipe(t, args...); code != 2 || out != "" {
			t.Errorf("%q: %d, %s", args, code, out)
		}
	}
}

// TestProofRecipeWithoutTools: it says that it cannot check, and does not say that
// anything holds.
func TestProofRecipeWithoutTools(t *testing.T) {
	t.Parallel()
	needProofTools(t)

	if runtime.GOOS == "windows" {
		t.Skip("programs are found otherwise there")
	}

	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}

	w := newProofWorld(t)
	proof, _ := w.prove(t, w.grow(3)[1])
	path := filepath.Join(t.TempDir(), "proof")

	if err := os.WriteFile(path, []byte(proof), 0o600); err != nil {
		t.Fatal(err)
	}

	all := []string{
		"sha256sum", "xxd", "jq", "openssl", "mktemp", "rm", "cat", "cut", "tr", "wc", "tail", "head", "sed",
		"grep", "sort", "cmp",
	}

	for _, without := range append([]string{""}, all[:4]...) {
		bin := t.TempDir()

		for _, tool := range all {
			found, err := exec.LookPath(tool)
			if err != nil {
				t.Fatal(err)
			}

			if tool != without {
				if err := os.Symlink(found, filepath.Join(bin, tool)); err != nil {
					t.Fatal(err)
				}
			}
		}

		cmd := exec.CommandContext(t.Context(), sh, proofRecipe, path, w.public)
		cmd.Env = []string{"PATH=" + bin}

		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); without == "" && code != 0 || without != "" &&
			(code != 2 || string(out) != "NOT CHECKED: there is no "+without+"\n") {
			t.Errorf("without %q: %d, %s", without, code, out)
		}
	}
}

// TestProofRecipeAndAFileNamedLikeTheKey: a file in the directory that the script runs in does not stand in for the key
// that it is named like.
func TestProofRecipeAndAFileNamedLikeTheKey(t *testing.T) {
	t.Parallel()

	for _, tool := range []string{"jq", "xxd", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("needs %s", tool)
		}
	}

	script, err := filepath.Abs("../../examples/archive/verify-proof.sh")
	if err != nil {
		t.Fatal(err)
	}

	// The owner's key is text; it never signed anything.
	owner := ""
	for owner == "" || strings.Contains(owner, "//") || strings.HasSuffix(owner, "/") {
		if _, owner, err = archive.GenerateKey("example.com/audit"); err != nil {
			t.Fatal(err)
		}
	}

	private, public, err := archive.GenerateKey("example.com/audit")
	if err != nil {
		t.Fatal(err)
	}

	evil, err := archive.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}

	w := newWorld(t, auditlog.ServiceUpCloud, 1)
	store := newMemory()
	w.happen(3, w.now.Add(-time.Hour))

	o := w.options(store)
	o.Signer = evil
	w.mustApply(o)

	dir := t.TempDir()

	for id := range archived(t, store) {
		proof, err := archive.Prove(t.Context(), store, nil, id)
		if err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(filepath.Join(dir, "proof"), proof, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	path := filepath.Join(dir, filepath.FromSlash(owner))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(public), 0o600)); err != nil {
		t.Fatal(err)
	}

	cmd := exec.CommandContext(t.Context(), "sh", script, "proof", owner)
	cmd.Dir = dir

	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("the owner's key has signed nothing: %s", out)
	}
}
