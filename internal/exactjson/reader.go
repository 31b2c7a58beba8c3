// SPDX-License-Identifier: MPL-2.0

package exactjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Reader reads one JSON text in a single pass and builds no tree of it. The first thing
// that is wrong ends the reading: from then on every method returns nothing, and Read
// returns the error.
type Reader struct {
	text    []byte
	source  bytes.Buffer // of the text
	tokens  *jsontext.Decoder
	decoded []byte            // a string that is not written as it is meant
	words   map[string]string // those of earlier texts, since most occur again
	base    int               // how deep the value lies inside of which errors are named
	err     error

	nodes []Node // the parts of those that are being read

	canonical canonical
}

const (
	// mostWords bounds how many words a reader remembers, and longestWord how many bytes
	// each may have.
	mostWords   = 4096
	longestWord = 64
	// mostScratch bounds how many bytes of scratch a reader keeps for the next text.
	mostScratch = 1 << 20
)

var readers = sync.Pool{New: func() any {
	return &Reader{tokens: new(jsontext.Decoder), words: map[string]string{}}
}}

// Read has read go through a text, which has to be one JSON value. Its errors are those of
// Unmarshal, or what Fail was called with. That the text is not whole, or has a key twice,
// comes before any other error, wherever it is. The reader is not to be used afterwards.
func Read(text []byte, read func(*Reader)) error {
	r, _ := readers.Get().(*Reader) //nolint:revive // The pool holds nothing else.
	r.text, r.base, r.err = text, 0, nil
	r.source = *bytes.NewBuffer(text)
	r.tokens.Reset(&r.source, anyText)

	read(r)

	if _, err := r.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		r.Fail(ErrSyntax)
	}

	err := r.err
	r.release()

	if err != nil {
		return firstError(text, err)
	}

	return nil
}

// release keeps the reader for another text, but nothing of this one.
func (r *Reader) release() {
	clear(r.nodes)
	r.text, r.err, r.nodes = nil, nil, r.nodes[:0]
	r.canonical.reset()
	r.source = bytes.Buffer{}
	r.tokens.Reset(&r.source)

	if cap(r.decoded) > mostScratch {
		r.decoded = nil
	}

	readers.Put(r)
}

// firstError returns what is wrong with a text as such, else the error.
func firstError(text []byte, err error) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(text), anyText)

	if _, invalid := d.ReadValue(); invalid != nil {
		return cleaned(text, invalid)
	}

	if _, invalid := d.ReadToken(); !errors.Is(invalid, io.EOF) {
		return ErrSyntax
	}

	return err
}

// Fail ends the reading with an error, unless it has ended with one.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// kind returns the kind of what comes next, and nothing where reading has ended.
func (r *Reader) kind() jsontext.Kind {
	if r.err != nil {
		return jsontext.KindInvalid
	}

	return r.tokens.PeekKind()
}

func (r *Reader) token() bool {
	if r.err != nil {
		return false
	}

	_, err := r.tokens.ReadToken()
	if err != nil {
		r.Fail(err)
	}

	return err == nil
}

// value reads the next value as it is written.
func (r *Reader) value() []byte {
	if r.err != nil {
		return nil
	}

	v, err := r.tokens.ReadValue()
	if err != nil {
		r.Fail(err)
	}

	return v
}

// mistaken ends the reading at a value that is of another kind than the one wanted.
func (r *Reader) mistaken(kind jsontext.Kind) {
	if !r.token() {
		return // The text breaks off.
	}

	pointer := r.tokens.StackPointer()
	for range r.base {
		pointer = pointer[1:]
		pointer = pointer[max(strings.IndexByte(string(pointer), '/'), 0):]
	}

	r.Fail(fmt.Errorf("%s is a JSON %s", name(pointer), kinds[kind]))
}

// open reads the beginning of an object or of an array. Null is none; what is anything
// else ends the reading.
func (r *Reader) open(begin jsontext.Kind) bool {
	switch kind := r.kind(); kind {
	case begin:
		return r.token()
	case jsontext.KindNull:
		r.Null()
	default:
		r.mistaken(kind)
	}

	return false
}

// errLeft should not happen: whoever reads an object or an array reads it to its end.
var errLeft = errors.New("it was not read to its end")

// Members yields the key of each member of the object that comes next, and nothing for
// null. A key is good until its value is read; a value that is not read then is skipped.
func (r *Reader) Members() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !r.open(jsontext.KindBeginObject) {
			return
		}

		first := r.canonical.object()

		for r.err == nil && r.kind() != jsontext.KindEndObject {
			quoted := r.value()
			if r.err != nil {
				return
			}

			key, plain := r.unquote(quoted)
			r.canonical.key(quoted, key, plain)

			at := r.tokens.InputOffset()

			if !yield(key) {
				r.Fail(errLeft)
			}

			r.skip(at)
			r.canonical.member()
		}

		if r.token() {
			r.canonical.endObject(first)
		}
	}
}

// Elements yields once for each element of the array that comes next, and not for null.
// An element that is not read then is skipped.
func (r *Reader) Elements() iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		if !r.open(jsontext.KindBeginArray) {
			return
		}

		r.canonical.add("[")

		for r.err == nil && r.kind() != jsontext.KindEndArray {
			at := r.tokens.InputOffset()

			if !yield(struct{}{}) {
				r.Fail(errLeft)
			}

			r.skip(at)
			r.canonical.add(",")
		}

		if r.token() {
			r.canonical.end(']')
		}
	}
}

// skip reads the next value unless something was read since the offset.
func (r *Reader) skip(at int64) {
	if r.err != nil || r.tokens.InputOffset() != at {
		return
	}

	if !r.canonical.on {
		r.value()

		return
	}

	switch r.kind() {
	case jsontext.KindBeginObject:
		for range r.Members() {
			continue
		}
	case jsontext.KindBeginArray:
		for range r.Elements() {
			continue
		}
	case jsontext.KindString:
		r.quoted()
	default:
		r.canonical.text = append(r.canonical.text, r.value()...)
	}
}

// Raw returns the next value as it is written, which is part of the text that is read.
// Where read is not nil, it reads the value, and what it finds wrong is named from there
// on, as if the value were the whole text.
func (r *Reader) Raw(read func()) []byte {
	if r.kind() == jsontext.KindInvalid {
		r.token()

		return nil
	}

	at, base := r.tokens.InputOffset(), r.base
	begin := at + int64(len(r.text[at:])-len(bytes.TrimLeft(r.text[at:], " \t\r\n,:")))

	if read != nil {
		r.base = r.tokens.StackDepth()
		read()
		r.base = base
	}

	if r.skip(at); r.err != nil {
		return nil
	}

	end := r.tokens.InputOffset()

	return r.text[begin:end:end]
}

// Null says whether null comes next, and reads it.
func (r *Reader) Null() bool {
	if r.kind() != jsontext.KindNull || !r.token() {
		return false
	}

	r.canonical.add("null")

	return true
}

// Text reads a text, "" for null.
func (r *Reader) Text() string { return string(r.quoted()) }

// Word is Text for what occurs again and again, of which one copy is kept.
func (r *Reader) Word() string { return r.word(r.quoted()) }

func (r *Reader) word(text []byte) string {
	if word, again := r.words[string(text)]; again {
		return word
	}

	word := string(text)

	if len(word) <= longestWord {
		if len(r.words) == mostWords {
			clear(r.words)
		}

		r.words[word] = word
	}

	return word
}

// quoted reads a text and decodes it. It is good until the next reading.
func (r *Reader) quoted() []byte {
	switch kind := r.kind(); kind {
	case jsontext.KindString:
		quoted := r.value()
		text, plain := r.unquote(quoted)
		r.canonical.string(quoted, text, plain)

		return text
	case jsontext.KindNull:
		r.Null()
	default:
		r.mistaken(kind)
	}

	return nil
}

// unquote decodes a string, and says whether it stands there as it would be written. What
// is no UTF-8 becomes U+FFFD.
func (r *Reader) unquote(quoted []byte) (text []byte, plain bool) {
	if r.err != nil {
		return nil, false
	}

	text = quoted[1 : len(quoted)-1]

	switch found := classesIn(text); {
	case found == 0:
		return text, true
	case found == classOther && utf8.Valid(text):
		return text, !hasSeparator(string(text))
	default:
		// The error says that there was something that is no UTF-8.
		r.decoded, _ = jsontext.AppendUnquote(r.decoded[:0], quoted)

		return r.decoded, false
	}
}
