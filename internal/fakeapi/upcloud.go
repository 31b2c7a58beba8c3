// SPDX-License-Identifier: MPL-2.0

package fakeapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// headerTotal counts the matches of a request's filters, whatever its limit and offset.
const headerTotal = "UpCloud-Total-Count"

const defaultUpCloudLimit = 50

// The value sets of the vendor's specification, in its order. It is a preview and its examples already use others, so
// clients do well to treat them as open.
var (
	upCloudActions = []string{
		"create", "read", "update", "delete", "access-granted", "access-granted-kubeconfig", "access-modified",
		"access-update", "maintenance-start", "writes-enable", "attach", "clone", "detach", "login", "logout", "start",
		"stop", "owner-change",
	}
	upCloudOrigins       = []string{"api", "gui", "upcloud_internal"}
	upCloudResourceTypes = []string{
		"account", "auth", "init-script", "managed-database", "managed-loadbalancer",
		"managed-loadbalancer-certificate-bundle", "managed-object-storage", "network-gateway", "server", "storage",
		"uks", "ssh-key",
	}
)

// UpCloud serves, on GET:
//
//	/1.3/audit-logs                 {"audit_logs":[…]} and the header UpCloud-Total-Count
//	/1.3/audit-logs/filter-options  {"resource_types":[…],"actions":[…],"origins":[…]}
//	/1.3/audit-logs/export          a JSON array (format=json), or CSV (format=csv, the default)
//	/1.3/audit-logs/{cloudEventID}  the bare event
//	/1.3/account                    {"account":{"username":…,"credits":…,"resource_limits":{…}}}
//
// It accepts a bearer token or HTTP Basic. Errors are application/problem+json, with invalid_params naming every
// parameter at fault; paths it does not know get the older {"error":{…}} shape.
func (s *Server) UpCloud() http.Handler { return s.handler(serviceUpCloud, s.routeUpCloud) }

var apiVersion = regexp.MustCompile(`^\d+(\.\d+)?$`)

func (s *Server) routeUpCloud(r *http.Request) *response {
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	name, below := strings.CutPrefix(path, "audit-logs/")
	switch {
	case apiVersion.MatchString(version) && version != "1.3":
		return legacyError(http.StatusNotFound, "API_VERSION_INVALID", "The requested API version does not exist.")
	case version != "1.3",
		path != "audit-logs" && path != "account" && (!below || name == "" || strings.Contains(name, "/")):
		return legacyError(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist.")
	case r.Method != http.MethodGet:
		p := legacyError(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "The resource can only be read.")
		p.header.Set("Allow", http.MethodGet)
		return p
	}
	if p := s.authorizeUpCloud(r); p != nil {
		return p
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return s.invalid(invalidParam{"query", "Malformed percent-encoding."})
	}
	switch path {
	case "account":
		return s.getAccount(query)
	case "audit-logs":
		return s.listUpCloud(r, query)
	case "audit-logs/filter-options":
		return s.filterOptions(r, query)
	case "audit-logs/export":
		return s.exportUpCloud(query)
	default:
		return s.getUpCloud(name, query)
	}
}

// getAccount answers with the account of either credential. The vendor's command-line client asks for it before every
// command. Which credentials may not see it is undocumented.
func (s *Server) getAccount(query url.Values) *response {
	c := queryChecker{query: query}
	if c.known(); len(c.bad) > 0 {
		return s.invalid(c.bad...)
	}
	if s.options.AccountForbidden {
		return legacyError(http.StatusForbidden, "FORBIDDEN", "You are not allowed to view the account.")
	}
	return newResponse(http.StatusOK, typeJSON, encode(map[string]any{"account": map[string]any{
		"username": s.options.Account,
		"credits":  10000,
		"resource_limits": map[string]int{
			"cores": 200, "memory": 1048576, "networks": 100, "public_ipv4": 100, "public_ipv6": 100,
			"storage_hdd": 10240, "storage_ssd": 10240,
		},
	}}))
}

// authorizeUpCloud answers requests without the right credentials. The vendor's specification prints the answer to an
// unsuitable credential; that a missing one has a code of its own is how its other services do it.
func (s *Server) authorizeUpCloud(r *http.Request) *response {
	if s.bearer(r) {
		return nil
	}
	if user, password, ok := r.BasicAuth(); ok && user == s.options.Username && password == s.options.Password {
		return nil
	}
	if r.Header.Get("Authorization") == "" {
		return s.problem(http.StatusUnauthorized, "ERROR_AUTHENTICATION_FAILED", "Authentication failed.")
	}
	return s.problem(http.StatusUnauthorized, "ERROR_INVALID_CREDENTIALS", "Invalid user type.")
}

func (s *Server) bearer(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && token == s.options.Token
}

type invalidParam struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// problem is an error in the shape the specification gives audit-log endpoints.
func (s *Server) problem(status int, code, title string, params ...invalidParam) *response {
	return newResponse(status, typeProblem, encode(struct {
		Type          string         `json:"type"`
		Title         string         `json:"title"`
		InvalidParams []invalidParam `json:"invalid_params,omitempty"`
		CorrelationID string         `json:"correlation_id"`
		Status        int            `json:"status"`
	}{"https://developers.upcloud.com/1.3/errors#" + code, title, params, s.correlationID(), status}))
}

func (s *Server) invalid(params ...invalidParam) *response {
	return s.problem(http.StatusBadRequest, "ERROR_INVALID_REQUEST", "Validation error.", params...)
}

// legacyError is the error shape of the API's older parts.
func legacyError(status int, code, message string) *response {
	return newResponse(status, typeJSON, encode(map[string]any{
		"error": map[string]string{"error_code": code, "error_message": message},
	}))
}

// queryChecker collects everything that is wrong with a query.
type queryChecker struct {
	query url.Values
	bad   []invalidParam
}

func (c *queryChecker) fail(name, reason string) { c.bad = append(c.bad, invalidParam{name, reason}) }

// known rejects parameters nobody documented. Whether the service does is undocumented; here it keeps a misspelt
// parameter from passing a test unnoticed.
func (c *queryChecker) known(names ...string) {
	for _, name := range slices.Sorted(maps.Keys(c.query)) {
		if !slices.Contains(names, name) {
			c.fail(name, "Unknown parameter.")
		}
	}
}

func (c *queryChecker) one(name string) (string, bool) {
	values := c.query[name]
	if len(values) > 1 {
		c.fail(name, "Must be given once.")
		return "", false
	}
	return c.query.Get(name), len(values) == 1
}

func (c *queryChecker) number(name string, fallback, least int) int {
	text, ok := c.one(name)
	if !ok {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || int(n) < least {
		c.fail(name, fmt.Sprintf("Must be a 32-bit integer of at least %d.", least))
		return fallback
	}
	return int(n)
}

func (c *queryChecker) instant(name string, fallback int64) int64 {
	text, ok := c.one(name)
	if !ok {
		return fallback
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		c.fail(name, "Must be an RFC 3339 timestamp, such as 2024-01-01T23:45:56Z.")
		return fallback
	}
	return nanos(t)
}

// listUpCloud answers a list request. Bounds are inclusive. The array filters are repeated keys, so that a
// comma-separated list is one value, which nothing has. `q` matches a user name, resource id or address exactly; that
// is the narrowest reading of the specification, which does not say whether parts match. A limit of 0, which the
// vendor's documents allow and its specification does not, is refused.
func (s *Server) listUpCloud(r *http.Request, query url.Values) *response {
	c := queryChecker{query: query}
	c.known("q", "limit", "offset", "actions", "origins", "resource_types", "created_after", "created_before")
	limit := min(c.number("limit", defaultUpCloudLimit, 1), s.options.UpCloudMaxLimit)
	offset := c.number("offset", 0, 0)
	filter := upCloudFilter{
		after: c.instant("created_after", math.MinInt64), before: c.instant("created_before", math.MaxInt64),
		actions: query["actions"], origins: query["origins"], kinds: query["resource_types"],
	}
	filter.q, _ = c.one("q")
	if len(c.bad) > 0 {
		return s.invalid(c.bad...)
	}
	first := offset
	if s.options.UpCloudOffset == OffsetPage {
		first = max(offset-1, 0) * limit
	}

	page, body, hit := s.struckUpCloud(r, filter, first, limit)
	p := newResponse(http.StatusOK, typeJSON, body)
	p.header[headerTotal] = []string{strconv.Itoa(page.total)} // spelled as documented, not as Go would
	if hit.fault == "shape" {
		p.body = otherShape("audit_logs", page.rows, hit)
	}
	return s.faulty(r, serviceUpCloud, hit, p)
}

// struckUpCloud is the page that is served and its body, as the faults of pages and records have made them.
func (s *Server) struckUpCloud(r *http.Request, filter upCloudFilter, first, limit int) (upCloudPage, []byte, strike) {
	s.mu.Lock()
	defer s.mu.Unlock()
	page := s.upCloudPage(filter, first, limit)
	hit := s.faults.next(s.options.Seed, serviceUpCloud, func(k FaultKind) bool {
		return (!k.later || first > 0) && (!k.rows || len(page.rows) > 0)
	})
	switch hit.fault {
	case "":
		return page, s.upcloud.pages.page(r.URL.RawQuery, page.body), hit
	case "grow":
		s.upcloud.insert(lateUpCloud(s.options, &s.upcloud, hit))
		page = s.upCloudPage(filter, first, limit)
	case "shrink":
		s.shrinkUpCloud(filter, first, hit)
		page = s.upCloudPage(filter, first, limit)
	case "expire":
		s.expireUpCloud(filter)
		page = s.upCloudPage(filter, first, limit)
	case "repeat-page":
		page = s.upCloudPage(filter, max(first-limit, 0), limit)
	case "duplicate":
		page = s.upCloudPage(filter, first-1, limit)
	case "no-filter":
		page = s.upCloudPage(upCloudFilter{after: math.MinInt64, before: math.MaxInt64}, first, limit)
	case "short-page":
		page.rows = page.rows[:(len(page.rows)+1)/2]
	case "total-low":
		page.total = lowTotal(page.total, limit)
	case "total-high":
		page.total++
	case "endless":
		page = s.upCloudPage(filter, first%max(page.total, 1), limit)
		page.total = 1_000_000_000
	default:
		spoilRows(page.rows, "time", "account_username", hit)
	}
	return page, page.body(), hit
}

// lowTotal is the largest total below that ends with a page, so that the pages add up to it.
func lowTotal(total, limit int) int {
	if total <= limit {
		return total / 2
	}
	return (total - 1) / limit * limit
}

type upCloudPage struct {
	rows  []json.RawMessage
	total int
}

func (p upCloudPage) body() []byte {
	return append(join([]byte(`{"audit_logs":`), p.rows), '}')
}

// upCloudPage is the rows from first on, in the configured order. The caller holds the lock.
func (s *Server) upCloudPage(f upCloudFilter, first, limit int) upCloudPage {
	match := s.upcloud.match(f)
	served := s.served(match, first, limit)
	page := upCloudPage{total: len(match), rows: make([]json.RawMessage, len(served))}
	for i, at := range served {
		page.rows[i] = s.upcloud.rows[at].raw
	}
	return page
}

// served is what a page shows of the rows that match: in the configured order up to limit of them, from first on.
func (s *Server) served(match []int32, first, limit int) []int32 {
	first = min(first, len(match))
	last := first + min(limit, len(match)-first)
	if s.options.UpCloudOrder == OldestFirst {
		return match[first:last]
	}
	page := slices.Clone(match[len(match)-last : len(match)-first])
	slices.Reverse(page)
	return page
}

// shrinkUpCloud removes a row that an earlier page has shown. The caller holds the lock.
func (s *Server) shrinkUpCloud(f upCloudFilter, first int, hit strike) {
	seen := s.served(s.upcloud.match(f), 0, first)
	start := int(hit.variant(uint64(len(seen))))
	s.removeFirst(slices.Concat(seen[start:], seen[:start]))
}

// expireUpCloud removes the oldest row that matches. The caller holds the lock.
func (s *Server) expireUpCloud(f upCloudFilter) { s.removeFirst(s.upcloud.match(f)) }

// removeFirst removes the first of the rows that is no example.
func (s *Server) removeFirst(rows []int32) {
	i := slices.IndexFunc(rows, func(at int32) bool { return !s.upcloud.rows[at].exempt })
	if i >= 0 {
		s.upcloud.remove(int(rows[i]))
	}
}

// otherShape is valid JSON that no client of these lists expects.
func otherShape(key string, rows []json.RawMessage, hit strike) []byte {
	switch hit.variant(3) {
	case 0:
		return []byte(`{"status":"ok"}`)
	case 1:
		return join(nil, rows)
	default:
		return []byte(`{"` + key + `":{"message":"see the documentation"}}`)
	}
}

// filterOptions lists the documented values, then any others that the log holds, sorted.
func (s *Server) filterOptions(r *http.Request, query url.Values) *response {
	c := queryChecker{query: query}
	if c.known(); len(c.bad) > 0 {
		return s.invalid(c.bad...)
	}
	s.mu.Lock()
	body := struct {
		ResourceTypes []string `json:"resource_types"`
		Actions       []string `json:"actions"`
		Origins       []string `json:"origins"`
	}{
		s.upcloud.values(upCloudResourceTypes, func(row upCloudRow) string { return row.kind }),
		s.upcloud.values(upCloudActions, func(row upCloudRow) string { return row.action }),
		s.upcloud.values(upCloudOrigins, func(row upCloudRow) string { return row.origin }),
	}
	hit := s.faults.next(s.options.Seed, serviceUpCloud, func(k FaultKind) bool { return !k.lists })
	s.mu.Unlock()
	p := newResponse(http.StatusOK, typeJSON, encode(body))
	if hit.fault == "shape" {
		p.body = otherShape("actions", nil, hit)
	}
	return s.faulty(r, serviceUpCloud, hit, p)
}

// values returns the documented values and those of the log that are not.
func (l *upCloudLog) values(documented []string, of func(upCloudRow) string) []string {
	var others []string
	for _, row := range l.rows {
		if value := of(row); value != "" && !slices.Contains(documented, value) && !slices.Contains(others, value) {
			others = append(others, value)
		}
	}
	slices.Sort(others)
	return slices.Concat(documented, others)
}
