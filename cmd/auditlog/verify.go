// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
	"github.com/auditlogs/terraform-provider-audit/internal/witness"
)

// verifyCommand checks an archive, exports or a proof, on whatever copy of it is at hand.
type verifyCommand struct {
	Destination           string   `arg:"" help:"The archive: a directory, or s3://bucket/prefix?endpoint=…&region=… Or an export, by any of its files; a directory of exports; a proof, which is a file NAME.tlog-proof."`
	PublicKey             []string `help:"Public key that must have signed every checkpoint, or the name of a file that holds it. After a change of keys give each of them." placeholder:"KEY" sep:"none"`
	Head                  given    `help:"A head remembered elsewhere, such as in Terraform's state: NUMBER:SHA256 of a manifest." placeholder:"HEAD"`
	Since                 given    `help:"A checkpoint remembered elsewhere, or the name of a file that holds it: the log has to have grown from it." placeholder:"CHECKPOINT"`
	Origin                given    `help:"Name that the archive has to have, as its checkpoints begin." placeholder:"ORIGIN"`
	Witness               []string `help:"Public key of a witness that must have cosigned the newest checkpoint, or the name of a file that holds it." placeholder:"KEY" sep:"none"`
	Quorum                *int     `help:"How many of the witnesses must have cosigned it. Default: all." placeholder:"NUMBER"`
	TimestampCertificates given    `help:"File with the root certificates, in PEM, to which those of the time stamps have to lead. The newest checkpoint must have a time stamp then." placeholder:"FILE"`
	Proof                 bool     `help:"The file is a proof of one entry, whatever its name."`
	JSON                  bool     `name:"json" help:"Print the report as JSON."`
}

// What makes the exit code 1; what is wrong has been printed.
var (
	errInvalid      = &negativeError{"the archive is not what it should be"}
	errInvalidProof = &negativeError{"the proof is not what it should be"}
)

// Help shows what to type.
func (*verifyCommand) Help() string {
	return `Whatever is altered, missing or out of order is printed, and makes the exit
code 1. The end of an archive can be cut off without a trace inside of it: give
--head or --since, which were noted elsewhere.

Examples:

    auditlog verify archive/ --public-key audit.pub --head 12:9f86d081…
    auditlog verify "s3://evidence/audit?endpoint=https://s3.example.com"
    auditlog verify evidence/`
}

// Run prints a report and fails when anything is wrong.
func (c *verifyCommand) Run(ctx context.Context, env environment) error {
	proof, isProof, err := c.proofAt()
	if err != nil {
		return err
	}

	if isProof {
		return c.verifyProof(proof, env)
	}

	if path, ok := c.exportAt(); ok {
		return c.verifyExports([]string{path}, env)
	}

	if paths := c.exportsIn(); len(paths) > 0 {
		return c.verifyExports(paths, env)
	}

	o, err := c.options()
	if err != nil {
		return err
	}

	o.Now = env.now()

	if err := c.checkKind(); err != nil {
		return err
	}

	store, err := durable.OpenStore(ctx, c.Destination, durable.StoreOptions{})
	if err != nil {
		return fmt.Errorf("the destination: it is %w", err)
	}

	var report *archive.Report

	env.watch(ctx, "Verifying", func(ctx context.Context) { report, err = archive.Verify(ctx, store, o) })

	if err != nil {
		return fmt.Errorf("verify %s: %w", c.Destination, err)
	}

	if err := c.print(env, report, func() { printReport(env.stdout, report) }); err != nil {
		return err
	}

	if !report.Valid {
		return errInvalid
	}

	return nil
}

// print prints a report as JSON where that is asked for, and for people else.
func (c *verifyCommand) print(env environment, report any, forPeople func()) error {
	if !c.JSON {
		forPeople()

		return nil
	}

	encoder := json.NewEncoder(env.stdout)
	encoder.SetIndent("", "  ")

	if err := encoder.Encode(report); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}

	return nil
}

func (c *verifyCommand) options() (archive.VerifyOptions, error) {
	var o archive.VerifyOptions

	if c.Head != "" {
		number, hash, ok := strings.Cut(string(c.Head), ":")
		sequence, err := strconv.ParseInt(number, 10, 64)

		const hashLength = 64
		if !ok || err != nil || sequence < 1 || len(hash) != hashLength {
			return o, errors.New("--head must be a manifest's number, a colon and its SHA-256")
		}

		o.Head = &archive.Head{Sequence: sequence, SHA256: strings.ToLower(hash)}
	}

	o.Origin = string(c.Origin)

	if c.Since != "" {
		since, err := textOrFile(string(c.Since), archive.ParseCheckpoint)
		if err != nil {
			return o, errors.New("--since is neither a checkpoint of an archive nor a file that holds one")
		}

		o.Since = &since
	}

	var err error
	if o.Verifiers, err = verifiersOf(c.PublicKey); err != nil {
		return o, err
	}

	for _, key := range c.Witness {
		w, err := textOrFile(key, witness.ParseKey)
		if err != nil {
			return o, errors.New("--witness is neither the public key of a witness nor a file that holds one")
		}

		o.Witnesses = archive.DistinctKeys(append(o.Witnesses, w))
	}

	if c.Quorum != nil {
		if o.Quorum = *c.Quorum; o.Quorum < 1 || o.Quorum > len(o.Witnesses) {
			return o, fmt.Errorf("--quorum must be from 1 to the number of witnesses given, which is %d", len(o.Witnesses))
		}
	}

	if c.TimestampCertificates == "" {
		return o, nil
	}

	certificates, err := os.ReadFile(string(c.TimestampCertificates))
	if err != nil {
		return o, fmt.Errorf("--timestamp-certificates: %w", err)
	}

	if o.TimestampRoots, err = witness.ParseRoots(certificates); err != nil {
		return o, errors.New("--timestamp-certificates is a file without a certificate in PEM")
	}

	return o, nil
}

// textOrFile reads a value, or what the file of that name holds where the value cannot be
// read. A file never comes first: whoever can write to the directory that the command runs
// in could name one like the key.
func textOrFile[T any](value string, parse func(string) (T, error)) (T, error) {
	parsed, err := parse(value)
	if err == nil || errors.Is(err, archive.ErrPrivateKey) {
		return parsed, err
	}

	if file, fileErr := os.ReadFile(value); fileErr == nil {
		return parse(string(file))
	}

	return parsed, err
}

// forPeople is how times look.
const forPeople = "2006-01-02 15:04:05"

// printReport tells a person what was found, and what was not looked at.
func printReport(w io.Writer, r *archive.Report) {
	// One line each, whatever stands in the archive: it could look like the verdict else.
	line := func(key, value string) { _, _ = fmt.Fprintf(w, "%-14s %s\n", screen.Text(key), screen.Text(value)) }

	line("Archive", r.Destination)

	if r.Origin != "" {
		line("Origin", r.Origin)
		line("Service", r.Service)

		if r.Source.Endpoint != "" {
			line("Endpoint", r.Source.Endpoint)
		}

		if r.Source.Account != "" {
			line("Account", strconv.Quote(r.Source.Account))
		}

		line("Manifests", strconv.FormatInt(r.Manifests, 10))
		line("Segments", strconv.FormatInt(r.Segments, 10))
		line("Entries", strconv.FormatInt(r.EntryCount, 10))
	}

	if r.EntryCount > 0 {
		line("From", r.FirstTime)
		line("To", r.LastTime)
	}

	if r.CoveredUntil != "" {
		line("Covered until", r.CoveredUntil)
	}

	if r.Head.Sequence > 0 {
		line("Head", r.Head.String())
	}

	for _, gap := range r.Gaps {
		line("Gap", fmt.Sprintf("%s to %s, accepted when it was found", gap.From.Format(forPeople), gap.To.Format(forPeople)))
	}

	if r.SignedBy != "" {
		line("Signed by", r.SignedBy)
	}

	for _, c := range r.Cosigned {
		line("Cosigned by", c.Name+", at "+c.Time.Format(forPeople))
	}

	if s := r.Timestamp; s != nil {
		line("Time stamp", fmt.Sprintf("%s, of checkpoint %d, by %s; %d in all", s.Time.Format(forPeople), s.Sequence, s.By,
			r.Timestamps))
	}

	for _, p := range r.Protection {
		line(protection(&p))
	}

	for _, text := range r.NotChecked {
		line("Not checked", text)
	}

	for _, p := range r.Problems {
		line(strings.ToUpper(string(p.Finding)), p.Key+": "+p.Detail)
	}

	line("Verdict", verdict(len(r.Problems)))
}

// protection says how many objects are protected, and in which way. Of those that nothing
// protects it names the first few.
func protection(p *archive.Protected) (name, text string) {
	const most = 3

	text = strconv.Itoa(len(p.Objects)) + " object"
	if len(p.Objects) != 1 {
		text += "s"
	}

	if p.Until != "" {
		text += ", the first of them until " + p.Until
	}

	if p.Mode != archive.Unprotected {
		return strings.ToUpper(p.Mode[:1]) + p.Mode[1:], text
	}

	keys := make([]string, 0, most+1)
	for _, o := range p.Objects[:min(most, len(p.Objects))] {
		keys = append(keys, o.Key)
	}

	if len(p.Objects) > most {
		keys = append(keys, "…")
	}

	return "Unprotected", text + ": " + strings.Join(keys, ", ")
}

// keygenCommand makes the keys that sign checkpoints and check them.
type keygenCommand struct {
	Name   string `arg:"" help:"Name of the key, such as example.com/audit. It goes into every checkpoint."`
	Output given  `short:"o" help:"File to write the private key to, which must not be there yet and which only you can read. Default: standard output." placeholder:"FILE"`
}

// Help shows what to type.
func (*keygenCommand) Help() string {
	return `Give the private key to audit_log_archive as AUDIT_SIGNING_KEY, and the public
one to everybody who verifies the archive.

Example:

    auditlog keygen example.com/audit -o audit.key > audit.pub`
}

// Run prints both keys; the private one is for a secret store.
func (c *keygenCommand) Run(env environment) error {
	private, public, err := archive.GenerateKey(c.Name)
	if err != nil {
		return err
	}

	text := "AUDIT_SIGNING_KEY=" + private + "\n"
	if c.Output != "" {
		text = private + "\n"
	}

	if err := writeNew(env, string(c.Output), []byte(text), keyPermission); err != nil {
		return err
	}

	if _, err := fmt.Fprintf(env.stdout, "%s%s\n", archive.PublicKeyLabel, public); err != nil {
		return fmt.Errorf("print the keys: %w", err)
	}

	return nil
}
