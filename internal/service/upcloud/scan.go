// SPDX-License-Identifier: MPL-2.0

package upcloud

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"

	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// The scanner cuts the body of an export into records. It looks at nothing but where a
// record ends and where its time and its id are, so that a log of which a small part is
// wanted costs little; whoever takes a record decodes all of it, and refuses what is not
// whole JSON. A text that is whole JSON is always cut where its records end.
type scanner struct {
	body io.Reader
	// buf holds what was read, of which [pos:end] was not returned yet.
	buf      []byte
	pos, end int
	begun    bool
	wrapped  bool // the array is the value of audit_logs in an object
}

// place is a part of a record: its bytes from, to.
type place struct{ from, to int }

// scanned is a record. Its bytes are overwritten when the next one is read.
type scanned struct {
	raw []byte
	// What follows are the texts of these fields where simple; else only who decodes the
	// record can tell them. The last three are empty where they are not found.
	time, id                     place
	action, origin, resourceType place
	simple                       bool
}

const (
	// scanBuffer is how much is read at once.
	scanBuffer = 64 << 10
	// recordMax is how many bytes one record may have, or the white space around it.
	recordMax = client.MaxBody
)

var (
	errNoArray  = errors.New("the export is neither an array nor an object with nothing but audit_logs")
	errNoObject = errors.New("an event is no JSON object")
)

// quotedListName is the one key that an export may have.
var quotedListName = []byte(`"audit_logs"`)

// next returns the next record, or io.EOF behind the last one, where the body has ended.
func (s *scanner) next() (scanned, error) {
	if !s.begun {
		s.begun = true

		if err := s.open(); err != nil {
			return scanned{}, err
		}

		c, err := s.peek()
		if err != nil {
			return scanned{}, err
		}

		if c != ']' {
			return s.record()
		}
	}

	switch c, err := s.peek(); {
	case err != nil:
		return scanned{}, err
	case c == ',':
		s.pos++

		return s.record()
	case c == ']':
		s.pos++

		return scanned{}, s.shut()
	default:
		return scanned{}, exactjson.ErrSyntax
	}
}

// open reads what precedes the first record.
func (s *scanner) open() error {
	c, err := s.peek()
	if err != nil {
		return err
	}

	if s.wrapped = c == '{'; s.wrapped {
		s.pos++

		if err := s.name(); err != nil {
			return err
		}

		if c, err = s.peek(); err != nil {
			return err
		}
	}

	if c != '[' {
		return errNoArray
	}

	s.pos++

	return nil
}

// name reads the one key that an export may have, and its colon.
func (s *scanner) name() error {
	for _, want := range [][]byte{quotedListName, []byte(`:`)} {
		if _, err := s.peek(); err != nil {
			return err
		}

		for s.end-s.pos < len(want) {
			if err := s.more(); err != nil {
				return err
			}
		}

		if !bytes.HasPrefix(s.buf[s.pos:s.end], want) {
			return errNoArray
		}

		s.pos += len(want)
	}

	return nil
}

// shut reads what follows the last record, and returns io.EOF where that is nothing.
func (s *scanner) shut() error {
	if s.wrapped {
		c, err := s.peek()
		if err != nil {
			return err
		}

		if c != '}' {
			return errNoArray
		}

		s.pos++
	}

	if _, err := s.peek(); !errors.Is(err, exactjson.ErrSyntax) {
		if err == nil {
			err = exactjson.ErrSyntax // Something follows.
		}

		return err
	}

	return io.EOF
}

// peek skips white space and returns the byte behind it, which stays to be read.
func (s *scanner) peek() (byte, error) {
	for skipped := 0; ; {
		for ; s.pos < s.end; s.pos++ {
			switch c := s.buf[s.pos]; c {
			case ' ', '\t', '\r', '\n':
				skipped++
			default:
				return c, nil
			}
		}

		if skipped > recordMax {
			return 0, tooLarge()
		}

		if err := s.more(); err != nil {
			return 0, err
		}
	}
}

// more reads on, behind what is there. At the end of the body the text is not whole.
func (s *scanner) more() error {
	if s.pos > 0 {
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}

	if s.end > recordMax {
		return tooLarge()
	}

	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, max(len(s.buf), scanBuffer))...)
	}

	for range 100 {
		n, err := s.body.Read(s.buf[s.end:])
		s.end += n

		switch {
		case n > 0:
			return nil // An error comes again.
		case errors.Is(err, io.EOF):
			return exactjson.ErrSyntax
		case err != nil:
			return err //nolint:wrapcheck // It is an *client.Error.
		}
	}

	return io.ErrNoProgress
}

func tooLarge() error {
	return &client.Error{Kind: client.KindTooLarge, Err: fmt.Errorf("a record is larger than %d bytes", recordMax)}
}

// structural marks the bytes outside of texts that matter.
var structural = [256]bool{'"': true, '{': true, '}': true, '[': true, ']': true, ',': true}

// record reads one record.
//
//nolint:gocognit // It is one loop over the bytes, which calls would slow.
func (s *scanner) record() (scanned, error) {
	if c, err := s.peek(); err != nil {
		return scanned{}, err
	} else if c != '{' {
		return scanned{}, errNoObject
	}

	var (
		found   scanned
		i       int // how far the record was looked at
		depth   int
		quote   = -1 // where the text begins that i is in
		isName  bool // the next text at the top is a key
		field   *place
		strange bool
	)

	for {
		text := s.buf[s.pos:s.end]

		for i < len(text) {
			if quote < 0 {
				c := text[i]
				i++

				if !structural[c] {
					continue
				}

				switch c {
				case '"':
					quote = i - 1
				case '{', '[':
					depth++
					isName = isName || depth == 1
				case ',':
					if depth == 1 {
						isName, field = true, nil
					}
				default:
					if depth--; depth == 0 {
						s.pos += i
						found.raw = text[:i]
						found.simple = !strange && found.time.to > 0 && found.id.to > 0

						return found, nil
					}
				}

				continue
			}

			at := bytes.IndexByte(text[i:], '"')
			if at < 0 {
				i = len(text)

				break
			}

			i += at + 1

			if escaped(text[quote+1 : i-1]) {
				continue
			}

			if depth == 1 {
				part := place{quote + 1, i - 1}

				switch value := text[part.from:part.to]; {
				case isName:
					isName, field = false, found.field(value)
				case field != nil:
					strange = strange || field.to > 0 || bytes.IndexByte(value, '\\') >= 0
					*field = part
				}
			}

			quote = -1
		}

		if err := s.more(); err != nil {
			return scanned{}, err
		}
	}
}

// field returns where the place of a field is kept, nil where nobody wants to know it.
func (s *scanned) field(name []byte) *place {
	switch string(name) {
	case "time":
		return &s.time
	case "cloud_event_id":
		return &s.id
	case "action":
		return &s.action
	case "origin":
		return &s.origin
	case "resource_type":
		return &s.resourceType
	default:
		return nil
	}
}

// passes says whether a record may pass the filters that the list would be given. Where
// that is not plain to see, it may.
func (s *scanned) passes(filter url.Values) bool {
	text := func(at place, otherwise string) string {
		if at.to == 0 {
			return otherwise
		}

		return string(s.raw[at.from:at.to])
	}

	return !s.simple || passes(filter, text(s.action, ""), text(s.origin, anyText), text(s.resourceType, anyText))
}

// anyText stands for a value that is not known.
const anyText = "\x00"

// passes says whether an event may pass filters. An action that nobody knows may mean
// whatever is asked for.
func passes(filter url.Values, action, origin, resourceType string) bool {
	in := func(key, value string) bool {
		wanted := filter[key]

		return len(wanted) == 0 || value == anyText || slices.Contains(wanted, value)
	}

	return in("origins", origin) && in("resource_types", resourceType) && (in("actions", action) || !KnowsAction(action))
}

// escaped says whether an odd number of backslashes ends the text.
func escaped(text []byte) bool {
	n := len(text)
	for n > 0 && text[n-1] == '\\' {
		n--
	}

	return (len(text)-n)%2 == 1
}
