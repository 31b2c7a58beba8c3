// SPDX-License-Identifier: MPL-2.0

package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // The page's style sheet, script and template.
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// lines is how many lines of a table stand in one body. A browser skips a body that is
// not in sight, and lays out one that is as a whole.
const lines int64 = 200

var (
	//go:embed page/style.css
	style string
	//go:embed page/script.js
	script string
	//go:embed page/page.html.tmpl
	text string

	// pages escapes everything that is put into it by where it stands.
	pages = template.Must(template.New("page").Parse(text))
)

// hash is how a Content Security Policy names a style sheet or a script that it allows.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))

	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// policy forbids everything but the style sheet and the script of the page: no request,
// no picture, no form that is sent, and no other script, whoever put it into a name.
func policy() string {
	return "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(script) +
		"; base-uri 'none'; form-action 'none'"
}

// writer writes the parts of a page, in the order of its methods.
type writer struct {
	out  *bufio.Writer
	view *view
	s    *Subject
	// row is the template of a line, n how many lines the table has, and total how many
	// it will have.
	row      *template.Template
	n, total int64
}

func newWriter(w io.Writer, s *Subject) *writer {
	return &writer{out: bufio.NewWriterSize(w, 64<<10), s: s, row: pages.Lookup("row")}
}

func (w *writer) text(texts ...string) error {
	for _, text := range texts {
		if _, err := w.out.WriteString(text); err != nil {
			return fmt.Errorf("write the page: %w", err)
		}
	}

	return nil
}

func (w *writer) part(name string, data any) error {
	if err := pages.ExecuteTemplate(w.out, name, data); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}

	return nil
}

// begin writes everything before the first list of entries.
func (w *writer) begin(v *view) error {
	w.view, w.total = v, v.Notable

	// What stands in an element of style or script is no text of HTML, and has to be what
	// its hash is of.
	err := w.text("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
		"<meta http-equiv=\"Content-Security-Policy\" content=\"", policy(), "\">\n",
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
		"<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
		"<title>", template.HTMLEscapeString(v.Title+", "+v.From+" to "+v.To), "</title>\n",
		"<style>", style, "</style>\n</head>\n<body>\n")
	if err != nil {
		return err
	}

	return w.part("begin", v)
}

// entry writes a line of the table that is open.
func (w *writer) entry(r *row) error {
	if w.n%lines == 0 {
		if err := w.body(); err != nil {
			return err
		}
	}

	w.n++

	if err := w.row.Execute(w.out, r); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}

	return nil
}

// body begins the next body of the table that is open. The last one is never skipped,
// since it may be much shorter than the others, whose height is guessed.
func (w *writer) body() error {
	end, begin := "</tbody>\n", "<tbody>\n"
	if w.n == 0 {
		end = ""
	}

	if w.total-w.n < lines {
		begin = "<tbody class=\"last\">\n"
	}

	return w.text(end, begin)
}

// closeTable ends the table that is open.
func (w *writer) closeTable() error {
	err := w.text("</tbody>\n</table>\n")
	if w.n == 0 {
		err = w.text("</table>\n<p>There is no entry.</p>\n")
	}

	w.n = 0

	return err
}

// middle ends what begin began, and opens the table of all entries.
func (w *writer) middle() error {
	if w.view.Notable > 0 {
		if err := w.closeTable(); err != nil {
			return err
		}
	}

	w.total = w.view.Count

	return w.part("middle", w.view)
}

func (w *writer) end() error {
	if err := w.closeTable(); err != nil {
		return err
	}

	err := w.part("end", struct{ Tool, MadeAt, Manifest string }{
		shown(w.s.Tool), w.s.time(w.s.MadeAt), shown(w.s.File + export.ManifestSuffix),
	})
	if err != nil {
		return err
	}

	if err := w.text("<script>", script, "</script>\n</body>\n</html>\n"); err != nil {
		return err
	}

	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}

	return nil
}
