// SPDX-License-Identifier: MPL-2.0

// Package upcloud reads the audit log of an UpCloud account.
//
// The vendor's specification and documentation disagree on the largest page, on
// what an offset counts and on how long entries are kept, and neither states the
// order of results. Nothing here depends on which one is right: pages are taken
// as they come, and a reading counts only when as many different events have
// come as the service says there are.
package upcloud

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/client"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
)

// DefaultEndpoint is the root of the API, without its version.
const DefaultEndpoint = "https://api.upcloud.com"

// DefaultRetention is how long events are kept, as newer documentation and the
// specification say; older documentation said 90 days.
const DefaultRetention = 180 * 24 * time.Hour

// The paths below the endpoint; see design/api-facts.md §1.2.
const (
	ListPath    = "1.3/audit-logs"
	OptionsPath = ListPath + "/filter-options"
	ExportPath  = ListPath + "/export"
	AccountPath = "1.3/account"
)

// TotalHeader names the header that says how many events match.
const TotalHeader = "UpCloud-Total-Count"

// Service is the audit log of one account.
type Service struct {
	client *client.Client
	clock  auditlog.Clock
	info   auditlog.Info
	// strategy is how the log is read; empty is StrategyPages.
	strategy Strategy

	// options are asked for once.
	mu      sync.Mutex
	options func() (auditlog.FilterOptions, error)
	// account is asked for only after ForAccount.
	account account
}

// New returns the service. It makes no request. A retention of zero means
// DefaultRetention.
func New(c *client.Client, clock auditlog.Clock, retention time.Duration) *Service {
	if retention == 0 {
		retention = DefaultRetention
	}

	info := Info()
	info.Retention = retention
	info.Source = auditlog.Source{Service: info.Name, Endpoint: c.Origin()}

	return &Service{client: c, clock: clock, info: info}
}

// Info is what is known of UpCloud without asking it.
func Info() auditlog.Info {
	return auditlog.Info{
		Name:      auditlog.ServiceUpCloud,
		Title:     "UpCloud",
		Retention: DefaultRetention,
		NeverRecorded: []string{
			"actor_id", "resource_name", "scope_type", "scope_id", "scope_name", "user_agent",
			"message",
		},
		Operations:  auditlog.OperationsIn(operations, auditlog.Verbs),
		OperationOf: OperationOf,
		KnowsAction: KnowsAction,
		NeverOperations: map[auditlog.Operation]string{
			auditlog.OperationLoginFailed: "UpCloud records successful logins only.",
		},
		Values: map[string]auditlog.Values{
			"action":        {Documented: slices.Sorted(maps.Keys(operations)), Listed: true},
			"origin":        {Documented: []string{"api", "gui", originInternal}, Listed: true},
			"resource_type": {Documented: resourceTypes, Listed: true},
			"actor_type": {Documented: []string{
				string(auditlog.ActorUser), string(auditlog.ActorSystem),
				string(auditlog.ActorUnknown),
			}, Closed: true},
		},
		Coherent: coherent,
		// User names are UpCloud's own.
		UniqueActor:     func(*auditlog.Entry) bool { return true },
		CredentialsHint: "Set UPCLOUD_TOKEN, or UPCLOUD_USERNAME and UPCLOUD_PASSWORD, for an account with API access.",
	}
}

// Info implements auditlog.Service.
func (s *Service) Info() auditlog.Info { return s.info }

// FilterOptions asks the service for the values that occur in its log, once.
func (s *Service) FilterOptions(ctx context.Context, _ auditlog.Query) (auditlog.FilterOptions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.options != nil {
		return s.options()
	}

	options, err := s.askOptions(ctx)
	if ctx.Err() == nil {
		s.options = func() (auditlog.FilterOptions, error) { return options, err }
	}

	return options, err
}

func (s *Service) askOptions(ctx context.Context) (options auditlog.FilterOptions, err error) {
	err = s.client.Get(ctx, OptionsPath, nil, func(body []byte, _ func(string) string) error {
		options, err = DecodeOptions(body)

		return err
	})
	if err != nil {
		return auditlog.FilterOptions{}, err
	}

	return options, nil
}

// DecodeOptions reads the answer that lists the values of filters, each list sorted and
// in the normal form.
func DecodeOptions(body []byte) (auditlog.FilterOptions, error) {
	var options struct {
		Actions       *[]string `json:"actions"`
		Origins       *[]string `json:"origins"`
		ResourceTypes *[]string `json:"resource_types"`
	}

	if err := exactjson.Unmarshal(body, &options); err != nil {
		return auditlog.FilterOptions{}, err
	}

	if options.Actions == nil || options.Origins == nil || options.ResourceTypes == nil {
		return auditlog.FilterOptions{}, errors.New("actions, origins or resource_types is missing")
	}

	for _, list := range []*[]string{options.Actions, options.Origins, options.ResourceTypes} {
		for i, value := range *list {
			(*list)[i] = auditlog.Normal(value)
		}

		slices.Sort(*list)
		*list = slices.Compact(*list)
	}

	return auditlog.FilterOptions{
		Actions:        *options.Actions,
		Operations:     auditlog.OperationsOf(*options.Actions, OperationOf),
		Origins:        *options.Origins,
		ResourceTypes:  *options.ResourceTypes,
		OriginOfValues: auditlog.FromAPI,
	}, nil
}
