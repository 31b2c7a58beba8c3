// SPDX-License-Identifier: MPL-2.0

// Package sariftest holds logs against the standard.
package sariftest

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"
)

// Check holds a text against the schema of SARIF 2.1.0. A library for SARIF brings it
// along, and keeps it to itself.
func Check(tb testing.TB, text []byte) error {
	tb.Helper()

	path := reflect.TypeFor[sarif.Report]().PkgPath()

	dir, err := exec.CommandContext(tb.Context(), "go", "list", "-f", "{{.Dir}}", path).Output() //nolint:gosec // Our own.
	if err != nil {
		tb.Fatal(err)
	}

	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		tb.Fatal(err)
	}

	schema := ""

	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && len(literal.Value) > len(schema) {
			schema, err = strconv.Unquote(literal.Value)
		}

		return err == nil
	})

	if err != nil || !strings.Contains(schema, "partialFingerprints") {
		tb.Fatal("there is no schema", err)
	}

	result, err := gojsonschema.Validate(gojsonschema.NewStringLoader(schema), gojsonschema.NewBytesLoader(text))
	if err != nil {
		tb.Fatal(err)
	}

	errs := make([]error, 0, len(result.Errors()))
	for _, e := range result.Errors() {
		errs = append(errs, errors.New(e.String()))
	}

	return errors.Join(errs...)
}
