// SPDX-License-Identifier: MPL-2.0

package archive

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// ErrKey means that a text is no key. The text is not part of the error.
var ErrKey = errors.New("not a key")

// ErrPrivateKey means that a text holds a private key where only a public one may
// be.
var ErrPrivateKey = errors.New("a private key, or both keys")

// GenerateKey makes a pair of Ed25519 keys in the text form of signed notes:
// PRIVATE+KEY+<name>+<id>+<key> and <name>+<id>+<key>.
func GenerateKey(name string) (private, public string, err error) {
	private, public, err = note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}

	if _, err := ParsePublicKey(public); err != nil {
		return "", "", errors.New("make a key: the name may hold neither spaces nor plus signs")
	}

	return private, public, nil
}

// ParsePrivateKey reads a private key.
func ParsePrivateKey(text string) (note.Signer, error) {
	text = strings.TrimSpace(text)
	screen.Secret(text, text[strings.LastIndexByte(text, '+')+1:])

	s, err := note.NewSigner(text)
	if err != nil {
		return nil, ErrKey
	}

	return s, nil
}

// PublicKeyLabel stands before the public key where keygen prints it.
const PublicKeyLabel = "public key: "

// ParsePublicKey reads a public key, or the line of it that keygen prints.
func ParsePublicKey(text string) (note.Verifier, error) {
	if strings.Contains(text, "PRIVATE+KEY+") {
		return nil, ErrPrivateKey
	}

	v, err := note.NewVerifier(barePublicKey(text))
	if err != nil {
		return nil, ErrKey
	}

	return v, nil
}

// DistinctKeys leaves out the keys that are there already, however they were spelled:
// of signed notes no key may be given twice.
func DistinctKeys(keys []note.Verifier) []note.Verifier {
	var distinct []note.Verifier

	for _, key := range keys {
		same := func(other note.Verifier) bool { return keyOf(other) == keyOf(key) }
		if !slices.ContainsFunc(distinct, same) {
			distinct = append(distinct, key)
		}
	}

	return distinct
}

// SamePublicKey says whether two texts hold the same public key, however they are
// spelled.
func SamePublicKey(a, b string) bool { return barePublicKey(a) == barePublicKey(b) }

func barePublicKey(text string) string {
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), PublicKeyLabel))
}

// PublicText returns the public key of a private one, as text.
func PublicText(private string) (string, error) {
	signer, err := ParsePrivateKey(private)
	if err != nil {
		return "", err
	}

	// PRIVATE+KEY+<name>+<id>+<key>; only the key may hold further plus signs.
	const parts = 5

	seed, err := base64.StdEncoding.DecodeString(strings.SplitN(strings.TrimSpace(private), "+", parts)[parts-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", ErrKey
	}

	key, ok := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", ErrKey
	}

	text, err := note.NewEd25519VerifierKey(signer.Name(), key)
	if err != nil {
		return "", ErrKey
	}

	return text, nil
}

// PublicKeyOf returns the public key of a private one.
func PublicKeyOf(private string) (note.Verifier, error) {
	text, err := PublicText(private)
	if err != nil {
		return nil, err
	}

	return ParsePublicKey(text)
}
