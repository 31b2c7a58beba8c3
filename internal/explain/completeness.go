// SPDX-License-Identifier: MPL-2.0

package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
)

// Completeness names what a complete reading could not see all the same.
func Completeness(info auditlog.Info, c auditlog.Completeness) Problems {
	var found Problems

	if c.BeyondRetention {
		found.Add(Retention(info, c).AsWarning())
	}

	if len(c.Gaps) > 0 {
		found.Add(gapsWarning(info, c).AsWarning())
	}

	if len(c.Caveats) > 0 {
		found.Add(caveatsWarning(info, c).AsWarning())
	}

	found.Add(doubts(info, c)...)

	if skew := c.ClockSkew; skew != nil && skew.Abs() > client.DefaultMaxClockSkew {
		found.Add(clockWarning(info, *skew, c).AsWarning())
	}

	return found
}

// doubts names what may have been missed though everything was read.
func doubts(info auditlog.Info, c auditlog.Completeness) Problems {
	var found Problems

	if c.UnknownMatters {
		found.Add(unknownActionsProblem(info, c.UnknownActions).AsWarning())
	}

	if values := slices.Concat(c.UnverifiedValues, c.AllowedValues); len(values) > 0 {
		found.Add(unverifiedProblem(info, values).AsWarning())
	}

	found.Add(Unread(info, c.Unread)...)

	return found
}

// Unread names the columns of exports that nobody mapped, and the mapping
// to write. Without it a field such as the actor could be empty and nobody would
// know why.
func Unread(info auditlog.Info, columns []auditlog.UnreadColumn) Problems {
	if len(columns) == 0 {
		return nil
	}

	const most = 10

	p := Problem{
		Summary: "Columns of the exports are not read",
		Cause:   "There are columns that hold something and that no field is made of, so no entry says what stands there.",
		Next:    "Write the mapping into {the provider's podstack block}; list a column that is not wanted in {its ignored_columns}.",
	}.With("Service", info.Name)

	for _, c := range columns[:min(most, len(columns))] {
		p = p.With("Column", Shown(c.Header)).
			With("Mapping", fmt.Sprintf("columns = { %s = %s }", cmp.Or(c.Field, "…"), quotedHeader(c.Header)))
	}

	if more := len(columns) - most; more > 0 {
		p = p.With("More", strconv.Itoa(more))
	}

	return Problems{p.AsWarning()}
}

// quotedHeader is a header as Terraform takes it for nothing but text.
func quotedHeader(header string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(Shown(header))
}

// clockWarning names a difference that only a raised max_clock_skew allows.
func clockWarning(info auditlog.Info, skew time.Duration, c auditlog.Completeness) Problem {
	p := Problem{
		Summary: "This machine's clock and the service's differ",
		Cause:   "This machine's clock is ahead of the service's, so the window ends at the service's time.",
		Next:    clockNext,
	}.With("Service", info.Name).With("Difference", skew.Abs().Round(time.Second).String()).
		With("Window", c.Window.String())

	if skew > 0 {
		p.Cause = "This machine's clock is behind the service's, so the newest entries may not have been asked for."
	}

	return p
}

const clockNext = "Set the clock that is wrong, such as by NTP; {max_clock_skew}{ in the provider configuration} says how far they may be apart."

// caveatsWarning names what the source cannot show by its nature.
func caveatsWarning(info auditlog.Info, c auditlog.Completeness) Problem {
	p := Problem{
		Summary: "The archive does not hold everything that happened",
		Cause:   "That nothing is found in " + Plain(info.Title) + " does not mean that nothing happened.",
		Next:    "Take it into account; to make it fail, {let a postcondition look at completeness.caveats}.",
	}.With("Service", info.Name).With("Window", c.Window.String())

	if info.Name != auditlog.ServiceArchive {
		p.Summary = "The log cannot show everything that was asked for"
	}

	for _, text := range c.Caveats {
		p = p.With("Caveat", text)
	}

	return p
}

// gapsWarning names the gaps, the first few of many.
func gapsWarning(info auditlog.Info, c auditlog.Completeness) Problem {
	p := Problem{
		Summary: "The window is not covered throughout",
		Cause: "There are parts of the window that " + Plain(info.Title) +
			" holds nothing about, so what happened there is not known.",
		Next: "Fill the gaps, or ask for a window that is covered; to make gaps fail, {let a postcondition look at completeness.gaps}.",
	}.With("Service", info.Name).With("Window", c.Window.String())

	if info.Name == auditlog.ServiceArchive {
		p.Next = "Apply the archive if it can still reach further, or ask for a window that it covers; to make gaps fail, {let a postcondition look at completeness.gaps}."
	}

	return p.withGaps(c.Gaps)
}

func (p Problem) withGaps(gaps []auditlog.Window) Problem {
	const shownGaps = 10

	for i, g := range gaps {
		if i == shownGaps {
			return p.With("More", strconv.Itoa(len(gaps)-shownGaps))
		}

		p = p.With("Gap", g.String())
	}

	return p
}

// Retention says that a part of the window proves nothing.
func Retention(info auditlog.Info, c auditlog.Completeness) Problem {
	return Problem{
		Summary: "The window begins before the service's retention",
		Cause: Plain(info.Title) + " keeps entries for " +
			Plain(strconv.FormatInt(export.NewStatement(c).RetentionDays, 10)) + " days, so what lies further back is gone and its absence proves nothing.",
		Next: Textf("Let the window begin later, or set {retention in the provider's %s block} if your account keeps entries longer.",
			info.Cloud()),
	}.With("Service", info.Name).With("Window", c.Window.String())
}
