// SPDX-License-Identifier: MPL-2.0

package exactjson

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Step says what is done with a value that Pieces comes to.
type Step int

const (
	// PassBy leaves the value out. What is in it is held against JSON all the same.
	PassBy Step = iota
	// GoInto goes on inside of the value. One that has no inside is handed over.
	GoInto
	// TakeWhole hands the value over as it is written.
	TakeWhole
)

// Pieces goes through one JSON value that may be too large to be held, and hands over parts of it. For each value that
// it comes to, at says what is done with it; a path has the keys and the indexes that lead there, and is overwritten
// by the next one, as is a value. Memory is that of the largest value that is handed over. The errors are those of
// Unmarshal, that of from, or that of take.
func Pieces(
	from io.Reader, at func(path []string) Step, take func(path []string, value []byte) error,
) error {
	source := &source{from: from}
	p := pieces{tokens: jsontext.NewDecoder(source, anyText), at: at, take: take}

	err := p.value()
	if err == nil {
		if _, err = p.tokens.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		}

		if err == nil {
			err = ErrSyntax
		}
	}

	if source.err != nil {
		return source.err
	}

	return cleanedPiece(err)
}

// source keeps the error that reading ended with, which the library may make one of the text.
type source struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (s *source) Read(to []byte) (int, error) {
	n, err := s.from.Read(to)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}

	return n, err //nolint:wrapcheck // It is a reader like the one below.
}

type pieces struct {
	tokens *jsontext.Decoder
	path   []string
	at     func(path []string) Step
	take   func(path []string, value []byte) error
}

// foreignError is an error of whoever takes the parts, which stays what it is.
type foreignError struct{ err error }

func (e foreignError) Error() string { return e.err.Error() }

func (p *pieces) value() error {
	switch p.at(p.path) {
	case TakeWhole:
		return p.whole()
	case GoInto:
		if kind := p.tokens.PeekKind(); kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray {
			return p.inside(kind)
		}

		return p.whole()
	default:
		return p.tokens.SkipValue() //nolint:wrapcheck // As above.
	}
}

func (p *pieces) whole() error {
	v, err := p.tokens.ReadValue()
	if err != nil {
		return err //nolint:wrapcheck // The caller cleans it.
	}

	if err := p.take(p.path, v); err != nil {
		return foreignError{err}
	}

	return nil
}

func (p *pieces) inside(kind jsontext.Kind) error {
	if _, err := p.tokens.ReadToken(); err != nil {
		return err //nolint:wrapcheck // As above.
	}

	for i := 0; ; i++ {
		switch p.tokens.PeekKind() {
		case jsontext.KindEndObject, jsontext.KindEndArray, jsontext.KindInvalid:
			_, err := p.tokens.ReadToken()

			return err //nolint:wrapcheck // As above.
		default:
		}

		step := strconv.Itoa(i)

		if kind == jsontext.KindBeginObject {
			key, err := p.tokens.ReadToken()
			if err != nil {
				return err //nolint:wrapcheck // As above.
			}

			step = key.String()
		}

		p.path = append(p.path, step)

		if err := p.value(); err != nil {
			return err
		}

		p.path = p.path[:len(p.path)-1]
	}
}

// cleanedPiece makes an error of the library one that may be shown.
func cleanedPiece(err error) error {
	foreign, syntactic := foreignError{}, (*jsontext.SyntacticError)(nil)

	switch {
	case errors.As(err, &foreign):
		return foreign.err
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntactic):
		return fmt.Errorf("%s is there twice", name(syntactic.JSONPointer))
	default:
		return ErrSyntax
	}
}
