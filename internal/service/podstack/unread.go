// SPDX-License-Identifier: MPL-2.0

package podstack

import (
	"fmt"
	"net/mail"
	"net/netip"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// unread is a column that nobody mapped, and what its cells look like.
type unread struct {
	column int
	// filled says that a cell holds something, person that one holds an e-mail
	// address, and machine an IP address.
	filled, person, machine bool
}

// unmapped returns the columns with a header that become nothing and may hold
// what the user does not know of.
func (c *columns) unmapped() []unread {
	var all []unread

	for _, i := range c.spare {
		if !c.unwanted[i] {
			all = append(all, unread{column: i})
		}
	}

	return all
}

func (u *unread) look(cells []string) {
	cell := strings.TrimSpace(cells[u.column])
	if cell == "" {
		return
	}

	u.filled = true

	if !u.person && strings.Contains(cell, "@") {
		_, err := mail.ParseAddress(cell)
		u.person = err == nil
	}

	if !u.machine {
		_, err := netip.ParseAddr(cell)
		u.machine = err == nil
	}
}

// peopleWords are parts of headers that other languages give the column of the
// actor, squeezed. They are too uncertain to map it by, and enough to ask.
var peopleWords = strings.Fields(`nutzer anwender akteur bearbeiter mitarbeiter utilisateur utilisatrice acteur usuario usuário usuaria usuária
	utente utilizador attore gebruiker användare anvandare bruker bruger käyttäjä kayttaja użytkownik uzytkownik
	uživatel uzivatel používateľ pouzivatel felhasználó felhasznalo utilizator kullanıcı
	kullanici kasutaja lietotājs naudotojas korisnik uporabnik
	пользовател користувач потребител χρήστης ユーザ 利用者 用户 用戶 使用者 사용자 operator principal initiator requester`) //nolint:gosmopolitan // Headers of any language.

// looksLike is the target that a column seems to be, if no other column is.
func (c *columns) looksLike(u unread) (target, bool) {
	header := squeeze(c.headers[u.column])

	switch foreign := slices.ContainsFunc(peopleWords, func(word string) bool { return strings.Contains(header, word) }); {
	case u.machine && !u.person:
		return toIPAddress, !c.has(toIPAddress)
	case u.person || foreign:
		return toActor, !c.has(toActor)
	default:
		return 0, false
	}
}

// unreadColumns lists the columns of the exports with rows in the window that
// hold something and became nothing, each once.
func unreadColumns(files []*file, w auditlog.Window) []auditlog.UnreadColumn {
	var all []auditlog.UnreadColumn

	place := map[string]int{}

	for _, f := range files {
		if !f.reaches(w) {
			continue
		}

		for _, u := range f.unread {
			column := auditlog.UnreadColumn{Header: f.columns.headers[u.column]}
			if t, ok := f.columns.looksLike(u); ok {
				column.Field = labels[t].name
			}

			if i, known := place[column.Header]; !known {
				place[column.Header] = len(all)
				all = append(all, column)
			} else if all[i].Field == "" {
				all[i] = column
			}
		}
	}

	return all
}

// checkActor refuses a file whose actors nobody mapped, where nothing can warn.
func (f *file) checkActor() error {
	for _, u := range f.unread {
		if t, ok := f.columns.looksLike(u); !ok || t != toActor || f.columns.has(toActorID) {
			continue
		}

		e := f.columns.problem("No header is known to mean actor.",
			fmt.Sprintf("Name the header: columns = { actor = %q }.", f.columns.headers[u.column]))
		e.Line, e.Header = f.headerAt, f.columns.headers[u.column]

		return e
	}

	return nil
}
