// SPDX-License-Identifier: MPL-2.0

package source

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/service/upcloud"
)

// What bounds the settings that are numbers.
const (
	MaxRetries     = 100
	MaxConcurrency = 64
	// LargestClockSkew is a day: no time zone is further off, and a clock that is has to be put right.
	LargestClockSkew = 24 * time.Hour
)

// Settings lists how services are reached, as far as it is written as a text and no secret. What is of one service has
// its name and a dot in front, such as "upcloud.endpoint".
func Settings() []query.Argument {
	table := []query.Argument{
		{Name: "request_timeout", Description: "How long one request may take, its answer included. Default: `60s`.", Form: DurationForm()},
		{Name: "retry_wait_min", Description: "The first wait between two tries; it doubles from try to try. Default: `1s`.", Form: DurationForm()},
		{Name: "retry_wait_max", Description: "The longest wait between two tries, also where the service asks for a longer one. Default: `30s`.", Form: DurationForm()},
		{
			Name:        "max_clock_skew",
			Description: "How far this machine's clock and the service's may be apart, as the `Date` of every answer tells; further apart, [reading is an error](guides/completeness.md#clocks). At most `24h`. Default: `1m`.",
			Form:        clockSkewForm(),
		},
		{
			Name: "upcloud.strategy",
			Description: "How the log is read: `pages` asks for it page by page, `stream` for the " +
				"[export](guides/completeness.md#upcloud-as-many-as-the-service-counts) of the whole log in one answer, which costs little where most of a large log is wanted, " +
				"and `auto` for whichever takes less time. What is read and what proves it are the same. Default: `auto`.",
			Form: query.OneOf(upcloud.Strategies()...),
		},
	}

	for _, s := range []struct{ name, account, env string }{
		{
			auditlog.ServiceUpCloud, "the user name that `GET /1.3/account` gives for the credential, where it may be read",
			"UPCLOUD_DEBUG_API_BASE_URL",
		},
		{auditlog.ServiceCloudscale, "the UUID of the project that the records name", "CLOUDSCALE_API_URL"},
		{auditlog.ServicePodStack, "unknown, since the exports do not name it", ""},
	} {
		info, _ := InfoOf(s.name)

		if endpoint := explain.UsualEndpoint(s.name); endpoint != "" {
			table = append(table, query.Argument{
				Name:        s.name + ".endpoint",
				Description: "Root of the API. Default: the environment variable `" + s.env + "`, else `" + endpoint + "`.",
				Form:        EndpointForm(),
			})
		}

		table = append(table, query.Argument{
			Name:        s.name + ".account",
			Description: "Name for the account whose log it is. It goes into entries and manifests, and an export or an archive of one account is never continued from another one. Default: " + s.account + ".",
			Form:        AccountForm(),
		}, query.Argument{
			Name:        s.name + ".retention",
			Description: "How long the service keeps entries. A window that begins earlier gets a warning, since an empty part of it proves nothing. Default: `" + strconv.Itoa(int(info.Retention/(24*time.Hour))) + "d`.",
			Form:        query.PositiveSpanForm(),
		})
	}

	return table
}

// Numbers lists those that are whole numbers.
func Numbers() []query.Number {
	return []query.Number{
		{
			Name: "max_retries", Low: 0, High: MaxRetries,
			Description: "How often a request is tried again that failed for a passing reason. Default: `4`.",
		},
		{
			Name: "max_concurrency", Low: 1, High: MaxConcurrency,
			Description: "How many requests to one service may be under way at once, from 1 to 64. Long windows are read so many pages at a time. Where the service answers `429` or `503`, there are fewer for a while. Default: `8`.",
		},
	}
}

// DurationForm is a length of time as Go writes it, which is not zero.
func DurationForm() explain.Form {
	return explain.Form{
		Description: `a length of time such as "500ms", "30s" or "2m"`,
		Check: func(value string) error {
			if d, err := time.ParseDuration(value); err != nil || d <= 0 {
				return errors.New("no length of time")
			}

			return nil
		},
	}
}

func clockSkewForm() explain.Form {
	return explain.Form{
		Description: `a length of time up to 24h, such as "30s" or "2m"`,
		Check: func(value string) error {
			switch d, err := time.ParseDuration(value); {
			case err != nil || d <= 0:
				return errors.New("no length of time")
			case d > LargestClockSkew:
				return errors.New("longer than a day, which no clock should be off")
			default:
				return nil
			}
		},
	}
}

// EndpointForm is the root of an API.
func EndpointForm() explain.Form {
	return explain.Form{
		Description: `the root of the API, such as "https://api.example.com"; plain http is only for this machine itself`,
		Check: func(value string) error {
			_, err := client.ParseEndpoint(value, "")

			return err
		},
	}
}

// AccountForm refuses names that cannot be told from another one by looking at them.
// Terraform would show the line that the name is written in, and a token may stand
// there as well.
func AccountForm() explain.Form {
	const description = "a name without spaces around it and without control characters"

	return explain.Form{
		Description: description,
		Check: func(name string) error {
			if name == "" || name != strings.TrimSpace(name) || strings.ContainsFunc(name, unicode.IsControl) {
				return errors.New("no name for an account")
			}

			return nil
		},
		Explain: func(at string, err error) explain.Problem {
			return explain.Problem{
				Summary: explain.CheckConfiguration,
				Cause:   explain.Textf("The value of %s is %s.", at, err),
				Next:    "Give " + description + ", or leave the argument out.",
			}.OfSecret()
		},
	}
}
