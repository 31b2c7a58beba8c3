// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// verifyCommand checks an archive or an export on whatever copy of it is at hand.
type verifyCommand struct {
	Destination string `arg:"" help:"The archive: a directory, or s3://bucket/prefix?endpoint=…&region=… Or an export: its file."`
	PublicKey   string `help:"Public key that must have signed the checkpoint, or the name of a file that holds it." placeholder:"KEY"`
	Head        string `help:"A head remembered elsewhere, such as in Terraform's state: NUMBER:SHA256 of a segment's manifest." placeholder:"HEAD"`
	JSON        bool   `name:"json" help:"Print the report as JSON."`
}

// errInvalid makes the exit code 1; what is wrong has been printed.
var errInvalid = errors.New("the archive is not what it should be")

// Run prints a report and fails when anything is wrong.
func (c *verifyCommand) Run(ctx context.Context, env environment) error {
	if path, ok := c.exportAt(); ok {
		return c.verifyExport(path, env)
	}

	o, err := c.options()
	if err != nil {
		return err
	}

	c.noteExports(env)

	store, err := durable.OpenStore(ctx, c.Destination, durable.StoreOptions{})
	if err != nil {
		return fmt.Errorf("the destination: it is %w", err)
	}

	report, err := archive.Verify(ctx, store, o)
	if err != nil {
		return fmt.Errorf("verify %s: %w", c.Destination, err)
	}

	if c.JSON {
		encoder := json.NewEncoder(env.stdout)
		encoder.SetIndent("", "  ")

		if err := encoder.Encode(report); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
	} else {
		printReport(env.stdout, report, o)
	}

	if !report.Valid {
		return errInvalid
	}

	return nil
}

// noteExports says of a directory that holds exports how they are verified.
func (c *verifyCommand) noteExports(env environment) {
	if found, err := filepath.Glob(filepath.Join(c.Destination, "*"+export.ChecksumSuffix)); err == nil && len(found) > 0 {
		_, _ = fmt.Fprintf(env.stderr, "There are checksum files: if this is no archive, name an export itself, or verify all of them by sha256sum -c *%s.\n", export.ChecksumSuffix)
	}
}

func (c *verifyCommand) options() (archive.VerifyOptions, error) {
	var o archive.VerifyOptions

	if c.Head != "" {
		number, hash, ok := strings.Cut(c.Head, ":")
		sequence, err := strconv.ParseInt(number, 10, 64)

		const hashLength = 64
		if !ok || err != nil || sequence < 1 || len(hash) != hashLength {
			return o, errors.New("--head must be a segment's number, a colon and the SHA-256 of its manifest")
		}

		o.Head = &archive.Head{Sequence: sequence, SHA256: strings.ToLower(hash)}
	}

	if c.PublicKey == "" {
		return o, nil
	}

	text := c.PublicKey
	if file, err := os.ReadFile(c.PublicKey); err == nil {
		text = string(file)
	}

	verifier, err := archive.ParsePublicKey(text)
	if errors.Is(err, archive.ErrPrivateKey) {
		return o, errors.New("--public-key holds a private key, which must stay secret: give what \"auditlog keygen\" prints behind \"public key: \"")
	}

	if err != nil {
		return o, errors.New("--public-key is neither a public key as \"auditlog keygen\" prints it nor a file that holds one")
	}

	o.Verifier = verifier

	return o, nil
}

// printReport tells a person what was found, and what was not looked at.
func printReport(w io.Writer, r *archive.Report, o archive.VerifyOptions) {
	// One line each, whatever stands in the archive: it could look like the verdict else.
	line := func(key, value string) { _, _ = fmt.Fprintf(w, "%-14s %s\n", screen.Text(key), screen.Text(value)) }

	line("Archive", r.Destination)

	if r.Segments > 0 {
		line("Service", r.Service)

		if r.Source.Endpoint != "" {
			line("Endpoint", r.Source.Endpoint)
		}

		if r.Source.Account != "" {
			line("Account", strconv.Quote(r.Source.Account))
		}

		line("Segments", strconv.FormatInt(r.Segments, 10))
		line("Entries", strconv.FormatInt(r.EntryCount, 10))
		line("From", r.FirstTime)
		line("To", r.LastTime)
		line("Covered until", r.CoveredUntil)
		line("Head", fmt.Sprintf("%d:%s", r.Head.Sequence, r.Head.SHA256))
	}

	for _, gap := range r.Gaps {
		line("Gap", fmt.Sprintf("%s to %s, accepted when it was found", gap.From.Format("2006-01-02 15:04:05"), gap.To.Format("2006-01-02 15:04:05")))
	}

	switch {
	case r.SignedBy != "":
		line("Signed by", r.SignedBy)
	case o.Verifier == nil:
		line("Signature", "not checked: give --public-key")
	}

	if o.Head == nil {
		line("End", "not checked: give --head to see whether the end was cut off")
	}

	for _, p := range r.Problems {
		line(strings.ToUpper(string(p.Finding)), p.Key+": "+p.Detail)
	}

	line("Verdict", verdict(len(r.Problems)))
}

// keygenCommand makes the keys that sign checkpoints and check them.
type keygenCommand struct {
	Name string `arg:"" help:"Name of the key, such as example.com/audit. It goes into every checkpoint."`
}

// Run prints both keys; the private one is for a secret store.
func (c *keygenCommand) Run(env environment) error {
	private, public, err := archive.GenerateKey(c.Name)
	if err != nil {
		return err
	}

	_, err = fmt.Fprintf(env.stdout, "AUDIT_SIGNING_KEY=%s\n%s%s\n", private, archive.PublicKeyLabel, public)
	if err != nil {
		return fmt.Errorf("print the keys: %w", err)
	}

	return nil
}
