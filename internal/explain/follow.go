// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"errors"
	"io/fs"
	"net"
	"strconv"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/follow"
	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
)

// FollowLogs is what following a log does.
const FollowLogs = "Follow audit logs"

// goesOn is what the next start of a stream does.
const goesOn = "Nothing is lost: the next start goes on where this one has stopped."

// Following explains what ended a stream, or what a stream tells of.
func Following(err error, info auditlog.Info) Problem {
	p := Problem{Summary: FollowLogs, Cause: Sentence(err.Error()), Next: goesOn}.With("Service", info.Name)

	var (
		waiting *follow.WaitError
		gap     *follow.GapError
		open    *follow.OpenGapsError
		state   *follow.StateError
		other   *auditlog.SourceError
		taking  *sink.Error
	)

	switch {
	case errors.As(err, &waiting):
		p = Following(waiting.Err, info)
		p.Next = "Nothing has to be done if it is over soon: everything waits, and nothing is lost."

		return p.With("Next attempt in", waiting.Wait.Round(time.Second).String()).AsWarning()
	case errors.As(err, &gap) && gap.Accepted:
		p.Cause = "A part of the log is given up, of which the stream has nothing."
		p.Next = "The state remembers it; look elsewhere for what happened then."

		return p.With("Missing", auditlog.Window{Start: gap.From, End: gap.To}.String()).AsWarning()
	case errors.As(err, &gap):
		p.Cause = "Entries are missing that " + Plain(info.Title) + " has dropped before they were passed on."
		p.Next = "Find out why nothing was passed on in time; to go on all the same, set {accept_gap = true}, and the state will remember what is missing."

		return p.With("Missing", auditlog.Window{Start: gap.From, End: gap.To}.String()).At(Argument("accept_gap"))
	case errors.As(err, &open):
		p.Cause = "The exports leave gaps, and what happened in them is not known."
		p.Next = "Add exports that fill them: their entries are passed on then. To give the gaps up, set {accept_gap = true}."

		return p.withGaps(open.Gaps).AsWarning()
	case errors.As(err, &state):
		p.Cause = "The state cannot be gone on from. " + Plain(state.Reason)
		p.Next = "Ask for the same as before, or give another {state}; nothing was passed on."

		return p.With("State of", state.Known).With("Asked for", state.Found).At(Argument("state"))
	case errors.As(err, &other):
		return OtherLog(other, FollowLogs, "state").At(Argument("state"))
	case errors.Is(err, follow.ErrFuture):
		p.Next = "Set the clock of this machine; if it was wrong when the state was written, begin anew with {since} and another {state}."

		return p.At(Argument("state"))
	case errors.Is(err, follow.ErrStopped):
		return p
	case errors.As(err, &taking):
		return notTaken(p, taking)
	}

	return Reading(err, Circumstances{Summary: FollowLogs, Info: info})
}

// notTaken explains why entries could not be handed over, or the place could not be kept.
func notTaken(p Problem, e *sink.Error) Problem {
	var (
		rejected *sink.RejectedError
		path     *fs.PathError
		network  *net.OpError
	)

	p.Cause = Sentence(e.Err.Error())

	at, label := "to", Text("To")

	switch {
	case e.State:
		at, label = "state", "State"
	case errors.Is(e, sink.ErrAuthorities):
		at = "ca_file"
		p.Next = "Give a file with certificates in PEM, or leave {ca_file} out to trust those that this machine trusts."
	}

	p = p.With(label, e.Place)

	switch {
	case errors.Is(e, durable.ErrLocked):
		p.Cause = "Another stream is at work with the same state."
		p.Next = "Give each stream a {state} or a directory of its own, or stop the other one."
	case errors.As(e, &rejected):
		p.Cause = "The collector has rejected records, although it answered that all is well."
		p.Next = "Find out in the collector's log why; until then nothing more is passed on, and nothing is lost."
		p = p.With("Rejected", strconv.FormatInt(rejected.Records, 10)).With("Message", rejected.Message)
	case errors.As(e, &path):
		p.Cause, _ = causeOfPath(path, "")
		if path.Path != e.Place {
			p = p.With("Path", path.Path)
		}
	case errors.As(e, &network) && network.Op == "dial":
		p.Cause = "The receiver cannot be reached: " + Plain(network.Error()) + "."
	}

	return p.At(Argument(at))
}

// LongMessage says that a syslog server may cut a message.
func LongMessage(size int) Problem {
	return Problem{
		Summary: FollowLogs,
		Cause:   "A message is longer than syslog servers have to take, and many cut what is longer.",
		Next:    "Let the server take longer messages, such as by global(maxMessageSize=\"1m\") of rsyslog.",
	}.With("Message", strconv.Itoa(size)+" bytes").With("Usual", strconv.Itoa(sink.UsualMessage)+" bytes").
		AsWarning()
}

// CollectorSays is what a collector complains about that it has taken all the same.
func CollectorSays(message string) Problem {
	return Problem{
		Summary: FollowLogs, Cause: "The collector has taken everything, and warns.", Next: "Look into the collector's log.",
	}.With("Message", message).AsWarning()
}

// Target is what is wrong with the place that entries go to.
func Target(err error) Problem {
	return Problem{
		Summary: CheckConfiguration,
		Cause:   "The value of {to} cannot be used: it is " + Plain(err.Error()) + ".",
		Next:    "Give one of " + Plain(sink.TargetForms) + ".",
	}.At(Argument("to"))
}

// Headers is what is wrong with the headers in a variable.
func Headers(variable string, err error) Problem {
	return Problem{
		Summary: CheckConfiguration,
		Cause:   "The value of the variable cannot be used: it is " + Plain(err.Error()) + ".",
		Next:    "Set it to " + Plain(sink.HeadersForm) + ".",
	}.With("Variable", variable)
}
