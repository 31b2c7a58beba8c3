// SPDX-License-Identifier: MPL-2.0

// Package witness asks others to attest the checkpoint of a log, so that not only its
// owner says what it held and when.
//
// A Witness (c2sp.org/tlog-witness) cosigns a checkpoint if the log has only grown since
// the last one that it has seen. Whoever asks for its cosignature need not have followed
// the log to know that nobody was shown another one. An Authority (RFC 3161) says that a
// checkpoint was there at a time.
package witness

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Why a checkpoint was not attested. They come wrapped in an *Error.
var (
	// ErrUnknownLog means that the witness has not been told of the log.
	ErrUnknownLog = errors.New("it does not know the log: its operator has to add the log's origin and public key")
	// ErrUnknownKey means that the witness trusts no key that has signed the checkpoint. Some
	// say so of a log, too, that they do not know (litewitness of filippo.io/torchwood v0.6.1
	// answers 403 where c2sp.org/tlog-witness has 404).
	ErrUnknownKey = errors.New("it trusts no key that signs the log: its operator has to add the log's origin and public key")
	// ErrForked means that the witness has seen another log of that origin.
	ErrForked = errors.New("it has cosigned another log of this origin: this one was changed, or rolled back and continued")
	// ErrAnswer means that the answer is none that the protocol has.
	ErrAnswer = errors.New("it gave no answer that can be used")
)

// AheadError means that the witness has cosigned a longer log.
type AheadError struct {
	// Size is that of the log that it has cosigned.
	Size int64
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("it has cosigned the log when it had %d manifests", e.Size)
}

// Error says who did not attest a checkpoint, and why.
type Error struct {
	// Who is the name of the witness, or the address of the authority.
	Who string
	Err error
}

func (e *Error) Error() string { return e.Who + " has not attested the checkpoint: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// ParseKey reads the public key of a witness: a name, a hash and a key of Ed25519 for
// cosignatures, in the form of c2sp.org/signed-note.
func ParseKey(text string) (note.Verifier, error) {
	text = strings.TrimSpace(text)
	v, err := formats.NewVerifierForCosignatureV1(text)

	// It takes a key of logs as well, by which no witness cosigns.
	if _, logErr := note.NewVerifier(text); err != nil || logErr == nil {
		return nil, errors.New("no public key of a witness")
	}

	return v, nil
}

// Witness is one that can be asked.
type Witness struct {
	// URL is what the paths of the protocol are below, such as https://witness.example/prefix.
	URL string
	// Key checks its cosignatures.
	Key note.Verifier
}

// Checkpoint is what is to be cosigned.
type Checkpoint struct {
	// Note is the checkpoint with the signature of its log.
	Note string
	Size int64
	// Grown proves that the log has grown from a smaller size.
	Grown func(size int64) (tlog.TreeProof, error)
}

// Cosign returns the line that the witness adds to the signatures of a checkpoint. The
// error is an *Error, or one of Grown.
func (w *Witness) Cosign(ctx context.Context, c *Client, p Checkpoint) (string, error) {
	status, body, err := w.ask(ctx, c, p)

	if grown := (*grownError)(nil); errors.As(err, &grown) {
		return "", grown.err
	}

	if err != nil {
		return "", w.fail(err)
	}

	switch status {
	case http.StatusOK:
		return w.cosignature(p, body)
	case http.StatusNotFound:
		return "", w.fail(ErrUnknownLog)
	case http.StatusForbidden:
		return "", w.fail(ErrUnknownKey)
	case http.StatusUnprocessableEntity:
		return "", w.fail(ErrForked)
	default:
		return "", w.fail(fmt.Errorf("%w: HTTP status %d", ErrAnswer, status))
	}
}

// ask tells the witness which size it has seen, until it says that this is right.
func (w *Witness) ask(ctx context.Context, c *Client, p Checkpoint) (status int, body []byte, err error) {
	// Others who archive ask it as well, so that it can have gone on meanwhile.
	const tries = 5

	// It has most likely seen the checkpoint before; else it says what it has seen.
	old := max(p.Size-1, 0)

	for range tries {
		status, body, err = w.add(ctx, c, p, old)
		if err != nil || status != http.StatusConflict {
			return status, body, err
		}

		size, err := parseSize(body)

		switch {
		case err != nil:
			return 0, nil, err
		case size > p.Size:
			return 0, nil, &AheadError{size}
		case size == old && size > 0:
			// The size is right, so that it is the root that is not.
			return 0, nil, ErrForked
		}

		old = size
	}

	return 0, nil, fmt.Errorf("%w: it has said %d times that it knows another size", ErrAnswer, tries)
}

func (w *Witness) fail(err error) error { return &Error{Who: w.Key.Name(), Err: err} }

// grownError tells an error of the caller's own from one of the witness.
type grownError struct{ err error }

func (e *grownError) Error() string { return e.err.Error() }

// add makes the request that c2sp.org/tlog-witness calls add-checkpoint.
func (w *Witness) add(ctx context.Context, c *Client, p Checkpoint, old int64) (status int, body []byte, err error) {
	var b strings.Builder

	fmt.Fprintf(&b, "old %d\n", old)

	// A log of no size, or of the same, needs no proof.
	if old > 0 && old < p.Size {
		proof, err := p.Grown(old)
		if err != nil {
			return 0, nil, &grownError{err}
		}

		for _, h := range proof {
			b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
		}
	}

	b.WriteString("\n" + p.Note)

	return c.post(ctx, strings.TrimRight(w.URL, "/")+"/add-checkpoint", "text/plain; charset=utf-8", []byte(b.String()))
}

func parseSize(body []byte) (int64, error) {
	size, err := strconv.ParseInt(strings.TrimSpace(string(body)), 10, 64)
	if err != nil || size < 0 {
		return 0, fmt.Errorf("%w: it does not say which size it knows", ErrAnswer)
	}

	return size, nil
}

// cosignature returns the line of an answer that is this witness's.
func (w *Witness) cosignature(p Checkpoint, body []byte) (string, error) {
	text, _, ok := strings.Cut(p.Note, "\n\n")
	n, err := note.Open([]byte(text+"\n\n"+string(body)), note.VerifierList(w.Key))

	// An empty line in the answer makes it part of the text that is signed.
	if ok = ok && err == nil && n.Text == text+"\n" && len(n.Sigs) == 1; ok {
		_, err = CosignedAt(n.Sigs[0])
	}

	if !ok || err != nil {
		return "", w.fail(fmt.Errorf("%w: it is no cosignature by the key of the witness", ErrAnswer))
	}

	return fmt.Sprintf("— %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64), nil
}

// CosignedAt returns when a witness has cosigned, by its own clock. It is a time that can be written down: a witness
// can sign any number of seconds.
func CosignedAt(s note.Signature) (time.Time, error) {
	const lastYear = 9999

	at, err := formats.CoSigV1Timestamp(s)
	if err != nil || at.Unix() < 0 || at.UTC().Year() > lastYear {
		return time.Time{}, errors.New("no time of a cosignature")
	}

	return at.UTC(), nil
}
