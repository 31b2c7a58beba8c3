// SPDX-License-Identifier: MPL-2.0

package finding

import (
	"cmp"
	"context"
	"net/netip"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// login is an actor and where they logged in from.
type login struct {
	actorType   auditlog.ActorType
	id, name    string
	fromAddress netip.Addr
}

func loginOf(e *auditlog.Entry) login {
	l := login{actorType: e.ActorType, id: auditlog.Normal(e.ActorID), name: auditlog.Normal(e.Actor)}
	if a, ok := auditlog.AddressOf(e.IPAddress); ok {
		l.fromAddress = a
	}

	return l
}

// placed says whether the address can be read.
func (l login) placed() bool { return l.fromAddress.IsValid() }

// named says whether it is somebody in particular.
func (l login) named() bool { return l.id != "" || l.name != "" }

// logins are those of the time before the window. What cannot be told apart from
// others is not among them: a login that is not placed or not named. So no entry
// makes another one look familiar by what it lacks.
type logins map[login]bool

// newLogin is a kind of logins that were not seen before, or cannot be known to be.
type newLogin struct {
	is        func(l login) bool
	one, many string
}

// kinds lists those of login_from_new_address; a login is of one at most.
func (known logins) kinds(b *Builtin) []newLogin {
	return []newLogin{
		{func(l login) bool { return l.placed() && l.named() && !known[l] }, b.one, b.many},
		{
			func(l login) bool { return l.placed() && !l.named() }, "login by nobody who is named",
			"logins by nobody who is named",
		},
		{
			func(l login) bool { return !l.placed() }, "login from an address that is not recorded",
			"logins from an address that is not recorded",
		},
	}
}

// among returns the condition for logins of the kind.
func (n newLogin) among(isLogin func(*auditlog.Entry) (bool, error)) func(*auditlog.Entry) (bool, error) {
	return func(e *auditlog.Entry) (bool, error) {
		is, err := isLogin(e)

		return is && n.is(loginOf(e)), err
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

	done, err := auditlog.ReadAll(ctx, s, q, func(e *auditlog.Entry) error {
		is, err := isLogin(e)

		if l := loginOf(e); is && l.placed() && l.named() {
			known[l] = true
		}

		return err
	})
	if err != nil {
		return nil, err
	}

	v.result.Baseline = &done

	return known, nil
}
