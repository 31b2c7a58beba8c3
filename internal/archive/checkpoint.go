// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// checkpoint names the head of an archive: three lines of text, in the form of
// the C2SP checkpoint, and below them signatures in the form of its signed note.
type checkpoint struct {
	origin   string
	sequence int64
	sha256   string
}

const originPrefix = "auditlogs.audit/"

func (c checkpoint) text() (string, error) {
	hash, err := hex.DecodeString(c.sha256)
	if err != nil {
		return "", fmt.Errorf("write the checkpoint: %w", err)
	}

	return fmt.Sprintf("%s\n%d\n%s\n", c.origin, c.sequence, base64.StdEncoding.EncodeToString(hash)), nil
}

func parseCheckpoint(text string) (checkpoint, error) {
	lines := strings.Split(text, "\n")

	const lineCount = 4 // The last line ends in a line break, too.
	if len(lines) != lineCount || lines[3] != "" || !strings.HasPrefix(lines[0], originPrefix) {
		return checkpoint{}, errors.New("not a checkpoint of ours")
	}

	sequence, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || sequence < 1 || strconv.FormatInt(sequence, 10) != lines[1] {
		return checkpoint{}, errors.New("not a checkpoint of ours: its second line is no number")
	}

	hash, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(hash) != 32 {
		return checkpoint{}, errors.New("not a checkpoint of ours: its third line is no hash")
	}

	return checkpoint{origin: lines[0], sequence: sequence, sha256: hex.EncodeToString(hash)}, nil
}

// openCheckpoint reads a checkpoint. Given a verifier, only one that it has
// signed is accepted. signer is the name of the key, "" where that was not asked.
func openCheckpoint(data []byte, verifier note.Verifier) (c checkpoint, signer string, err error) {
	text, signatures, signed := strings.Cut(string(data), "\n\n")
	if signed {
		text += "\n"
	}

	if verifier != nil {
		n, err := note.Open(data, note.VerifierList(verifier))
		if err != nil {
			return checkpoint{}, "", fmt.Errorf("%w: %s", ErrSignature, verifier.Name())
		}

		text, signer = n.Text, verifier.Name()
	} else if signed && !strings.HasPrefix(signatures, "— ") {
		return checkpoint{}, "", errors.New("not a checkpoint of ours: its signature cannot be read")
	}

	c, err = parseCheckpoint(text)

	return c, signer, err
}

// readCheckpoint returns nil where there is none.
func (a *Archive) readCheckpoint(ctx context.Context) (*checkpoint, error) {
	data, err := a.o.Store.Read(ctx, checkpointKey, maxSmall)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // There may be none; that is no error.
	}

	if err != nil {
		return nil, err
	}

	c, _, err := openCheckpoint(data, a.o.Verifier)
	if errors.Is(err, ErrSignature) {
		return nil, err
	}

	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}

	a.signed = bytes.Contains(data, []byte("\n\n"))

	return &c, nil
}

// writeCheckpoint lets the checkpoint name the head.
func (a *Archive) writeCheckpoint(ctx context.Context) error {
	origin, err := a.origin(ctx)
	if err != nil {
		return err
	}

	text, err := checkpoint{origin: origin, sequence: a.head.Sequence, sha256: a.head.SHA256}.text()
	if err != nil {
		return err
	}

	data := []byte(text)

	if a.o.Signer != nil {
		if data, err = note.Sign(&note.Note{Text: text}, a.o.Signer); err != nil {
			return fmt.Errorf("sign the checkpoint: %w", err)
		}
	}

	if err := a.o.Store.Replace(ctx, checkpointKey, data); err != nil {
		return err
	}

	a.checkpointed = a.head.Sequence

	return nil
}

// origin names the archive by its first manifest, so that no two share a name.
func (a *Archive) origin(ctx context.Context) (string, error) {
	first, m, err := a.readManifest(ctx, 1)
	if err != nil {
		return "", err
	}

	return originOf(m.Service, first.SHA256), nil
}

func originOf(service, firstSHA256 string) string {
	const hashLength = 16

	return originPrefix + service + "/" + firstSHA256[:hashLength]
}
