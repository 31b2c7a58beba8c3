// SPDX-License-Identifier: MPL-2.0

package exactjson_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

func all([]string) exactjson.Step { return exactjson.TakeWhole }

func TestPieces(t *testing.T) {
	t.Parallel()

	const text = `{"a":[{"b":1},{"b":[2]}],"é":"x","c":{"a":[3]},"empty":{}}`

	var got []string

	err := exactjson.Pieces(iotest.OneByteReader(strings.NewReader(text)), func(path []string) exactjson.Step {
		switch {
		case len(path) == 2 && path[0] == "a", len(path) == 1 && path[0] == "é":
			return exactjson.TakeWhole
		case len(path) == 0, path[0] == "a", path[0] == "empty":
			return exactjson.GoInto
		default:
			return exactjson.PassBy
		}
	}, func(path []string, value []byte) error {
		got = append(got, strings.Join(path, ".")+"="+string(value))

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	if want := []string{`a.0={"b":1}`, `a.1={"b":[2]}`, `é="x"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What Pieces accepts as a whole or passes by is what Valid accepts.
func TestPiecesOfHostileTexts(t *testing.T) {
	t.Parallel()

	for _, text := range hostile {
		for name, step := range map[string]exactjson.Step{
			"past": exactjson.PassBy, "into": exactjson.GoInto, "whole": exactjson.TakeWhole,
		} {
			err := exactjson.Pieces(strings.NewReader(text), func([]string) exactjson.Step { return step },
				func([]string, []byte) error { return nil })
			if (err == nil) != exactjson.Valid([]byte(text)) {
				t.Errorf("%s %.60q: %v", name, text, err)
			}

			if err != nil && !errors.Is(err, exactjson.ErrSyntax) && !strings.HasSuffix(err.Error(), " is there twice") {
				t.Errorf("%s %.60q: %v", name, text, err)
			}
		}
	}
}

func TestPiecesPassErrorsOn(t *testing.T) {
	t.Parallel()

	torn, taken := errors.New("torn"), errors.New("taken")

	if err := exactjson.Pieces(io.MultiReader(strings.NewReader(`{"a":`), iotest.ErrReader(torn)), all, nil); !errors.Is(err, torn) {
		t.Errorf("got %v", err)
	}

	err := exactjson.Pieces(strings.NewReader(`{}`), all, func([]string, []byte) error { return taken })
	if !errors.Is(err, taken) {
		t.Errorf("got %v", err)
	}
}
