// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/archive"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// proveCommand makes a proof that an entry is in an archive.
type proveCommand struct {
	Destination string   `arg:"" help:"The archive: a directory, or s3://bucket/prefix?endpoint=…&region=…"`
	ID          given    `name:"id" required:"" help:"Id of the entry." placeholder:"ID"`
	PublicKey   []string `help:"Public key that must have signed the checkpoint, or the name of a file that holds it." placeholder:"KEY" sep:"none"`
	Output      given    `short:"o" help:"File to write, which must not be there yet. Default: standard output." placeholder:"FILE"`
}

// Help shows what to type.
func (*proveCommand) Help() string {
	return `Who gets the proof can check it with auditlog verify, and needs neither the archive nor the cloud.

Examples:

    auditlog prove archive/ --id 01J9ZQ3YB5 --public-key audit.pub \
        -o entry.tlog-proof
    auditlog verify entry.tlog-proof --public-key audit.pub`
}

// Run writes the proof.
func (c *proveCommand) Run(ctx context.Context, env environment) error {
	verifiers, err := verifiersOf(c.PublicKey)
	if err != nil {
		return err
	}

	store, err := durable.OpenStore(ctx, c.Destination, durable.StoreOptions{})
	if err != nil {
		return fmt.Errorf("the destination: it is %w", err)
	}

	proof, err := archive.Prove(ctx, store, verifiers, string(c.ID))
	if errors.Is(err, archive.ErrNoEntry) {
		return &negativeError{fmt.Sprintf("prove %s of %s: %s", strconv.Quote(string(c.ID)), c.Destination, err)}
	}

	if err != nil {
		return fmt.Errorf("prove %s of %s: %w", strconv.Quote(string(c.ID)), c.Destination, err)
	}

	return writeNew(env, string(c.Output), proof, proofPermission)
}

const (
	proofPermission = 0o644
	keyPermission   = 0o600
)

// writeNew writes a file that is not there yet, or to standard output where none is named.
func writeNew(env environment, path string, data []byte, permission fs.FileMode) error {
	if path == "" {
		_, err := env.data.Write(data)

		return err //nolint:wrapcheck // It says what is wrong with standard output.
	}

	if err := durable.CreateFile(path, data, permission); err != nil {
		return fmt.Errorf("write %s: %w", strconv.Quote(path), err)
	}

	return nil
}

// verifiersOf reads public keys, or the files that hold them.
func verifiersOf(keys []string) ([]note.Verifier, error) {
	verifiers := make([]note.Verifier, 0, len(keys))

	for _, key := range keys {
		verifier, err := textOrFile(key, archive.ParsePublicKey)

		switch {
		case errors.Is(err, archive.ErrPrivateKey):
			return nil, errors.New("--public-key holds a private key, which must stay secret: give what \"auditlog keygen\" prints behind \"public key: \"")
		case err != nil:
			return nil, errors.New("--public-key is neither a public key as \"auditlog keygen\" prints it nor a file that holds one")
		}

		verifiers = append(verifiers, verifier)
	}

	return archive.DistinctKeys(verifiers), nil
}

// proofAt returns the proof that a file holds, and whether it holds one, or has to.
func (c *verifyCommand) proofAt() (data []byte, ok bool, err error) {
	if strings.Contains(c.Destination, "://") && !c.Proof {
		return nil, false, nil
	}

	data, err = durable.Read(c.Destination, archive.MaxProof)
	if ok = err == nil && archive.IsProof(data); ok || !c.Proof {
		return data, ok, nil
	}

	if err != nil {
		return nil, false, fmt.Errorf("read the proof: %w", err)
	}

	return nil, false, fmt.Errorf("%s is no proof", strconv.Quote(c.Destination))
}

// proofSuffix ends the names of proofs. Who says "auditlog verify archive" is not told that all is well when somebody
// has put a proof of one entry in the place of the archive.
const proofSuffix = ".tlog-proof"

// checkProof says what is in the way of verifying a proof.
func (c *verifyCommand) checkProof() error {
	quoted := strconv.Quote(c.Destination)

	switch {
	case !c.Proof && !strings.HasSuffix(c.Destination, proofSuffix):
		return fmt.Errorf("%s is a file with a proof of one entry, not an archive: if a proof is what you mean, type auditlog verify --proof %s", quoted, quoted)
	case c.Head != "", c.Since != "":
		return errors.New("--head and --since are for archives, and " + quoted + " is a proof")
	case c.TimestampCertificates != "":
		return errors.New("--timestamp-certificates is for archives, and " + quoted +
			" is a proof, which holds no time stamp")
	default:
		return nil
	}
}

// proofReport is what is printed of a proof as JSON.
type proofReport struct {
	Proof    string                `json:"proof"`
	Valid    bool                  `json:"valid"`
	Problem  string                `json:"problem"`
	Origin   string                `json:"origin"`
	Service  string                `json:"service"`
	Sequence int64                 `json:"sequence"`
	Signed   bool                  `json:"signed"`
	SignedBy string                `json:"signed_by"`
	Cosigned []archive.Cosignature `json:"cosigned"`
	Entry    string                `json:"entry"`
	// NotChecked says in sentences what a proof does not show, and what nobody could check.
	NotChecked []string `json:"not_checked"`
}

// verifyProof prints what a proof shows and fails when it does not hold.
func (c *verifyCommand) verifyProof(data []byte, env environment) error {
	if err := c.checkProof(); err != nil {
		return err
	}

	o, err := c.options()
	if err != nil {
		return err
	}

	r := proofReport{
		Proof: c.Destination, Cosigned: []archive.Cosignature{},
		NotChecked: []string{"The archive: this is a proof of one entry that was in it."},
	}

	proven, err := archive.VerifyProof(data, o)
	if err != nil {
		r.Problem = err.Error()
	} else {
		r.Valid, r.Entry, r.Origin, r.Service = true, proven.Entry, proven.Checkpoint.Origin, proven.Manifest.Service
		r.Sequence, r.Signed, r.SignedBy = proven.Manifest.Sequence, proven.Signed, proven.SignedBy
		r.Cosigned = append(r.Cosigned, proven.Cosigned...)

		switch {
		case r.SignedBy != "":
		case r.Signed:
			r.NotChecked = append(r.NotChecked, "Who signed the checkpoint: that takes the public key.")
		default:
			r.NotChecked = append(r.NotChecked, "Who wrote the archive: the checkpoint is not signed.")
		}
	}

	if err := c.print(env, r, func() { printProof(env.stdout, &r) }); err != nil {
		return err
	}

	if !r.Valid {
		return errInvalidProof
	}

	return nil
}

func printProof(w io.Writer, r *proofReport) {
	line := func(key, value string) { _, _ = fmt.Fprintf(w, "%-14s %s\n", key, screen.Text(value)) }

	line("Proof of entry", r.Proof)

	if !r.Valid {
		line("Problem", r.Problem)
		line("Verdict", verdict(1))

		return
	}

	line("Origin", r.Origin)
	line("Service", r.Service)
	line("Manifest", strconv.FormatInt(r.Sequence, 10))

	if r.SignedBy != "" {
		line("Signed by", r.SignedBy)
	}

	for _, by := range r.Cosigned {
		line("Cosigned by", by.Name+", at "+by.Time.Format(forPeople))
	}

	line("Entry", r.Entry)

	for _, text := range r.NotChecked {
		line("Not checked", text)
	}

	line("Verdict", verdict(0))
}
