// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"cmp"
	"context"
	"iter"
	"net/netip"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

type entries = iter.Seq2[auditlog.Entry, error]

// login is an actor and where they logged in from.
type login struct {
	actorType   auditlog.ActorType
	id, name    string
	fromAddress netip.Addr
}

// logins are those of the time before the window. What cannot be told apart from
// others is not among them: a login without an address that can be read, or by
// nobody in particular. So no entry makes another one look familiar by what it
// lacks.
type logins map[login]bool

// address returns the address of an entry as a number. An address that the cloud
// masked is none.
func address(e *auditlog.Entry) (netip.Addr, bool) {
	a, err := netip.ParseAddr(e.IPAddress)

	return a.Unmap(), err == nil
}

// loginOf returns the login that an entry is, and whether it can be recognised.
func loginOf(e *auditlog.Entry) (login, bool) {
	a, ok := address(e)

	return login{e.ActorType, e.ActorID, e.Actor, a}, ok && (e.Actor != "" || e.ActorID != "")
}

// unknown returns the condition for logins from an address that can be read and
// was not logged in from before.
func (known logins) unknown(isLogin func(*auditlog.Entry) (bool, error)) func(*auditlog.Entry) (bool, error) {
	return func(e *auditlog.Entry) (bool, error) {
		is, err := isLogin(e)
		if err != nil || !is {
			return false, err
		}

		l, _ := loginOf(e)

		return l.fromAddress.IsValid() && !known[l], nil
	}
}

// unplaced returns the condition for logins whose address cannot be read.
func (logins) unplaced(isLogin func(*auditlog.Entry) (bool, error)) func(*auditlog.Entry) (bool, error) {
	return func(e *auditlog.Entry) (bool, error) {
		is, err := isLogin(e)
		_, readable := address(e)

		return is && !readable, err
	}
}

// baseline reads the logins before the window that pass the query's filters.
func (v *evaluation) baseline(
	ctx context.Context, s auditlog.Service, q auditlog.Query, isLogin func(*auditlog.Entry) (bool, error),
) (logins, error) {
	length := cmp.Or(v.o.Baseline, DefaultBaseline)

	q.Window = auditlog.Window{Start: q.Window.Start.Add(-length), End: q.Window.Start}
	q.Operations = []auditlog.Operation{auditlog.OperationLogin}
	// A login that nobody knows to be one makes an address look new, which shows.
	q.FailOnUnknownActions, q.Unconfirmed = false, nil

	known := logins{}
	v.result.Baseline = &auditlog.Completeness{}

	err := proven(s.Read(ctx, q, v.result.Baseline), v.result.Baseline, func(e *auditlog.Entry) error {
		is, err := isLogin(e)

		if l, ok := loginOf(e); ok && is {
			known[l] = true
		}

		return err
	})
	if err != nil {
		return nil, err
	}

	return known, nil
}
