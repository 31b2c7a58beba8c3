// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
	"github.com/auditlogs/terraform-provider-audit/internal/redact"
)

// claims hold which resource a file belongs to in one run of Terraform, which
// configures the provider anew each time it plans and each time it applies. Nothing is
// ever released: the second resource is refused also when the first one is done.
type claims struct {
	mutex sync.Mutex
	// planned and written are by durable.Key. Planned says by which resource, as the
	// private state names it; Terraform plans one resource several times, but makes or
	// changes it once.
	planned map[string]string
	written map[string]bool
	// leaving are the exports that Terraform has taken out of the state to have others
	// made in their place, by the durable.Key of where those go.
	leaving map[string]*exportModel
	// made are the exports that this run has made anew.
	made []made
}

// made is an export that this run has made.
type made struct {
	asked  export.Asked
	rules  map[string]string
	result export.Result
	// less says that the user lets it hold less than the one before.
	less bool
}

// takesFrom says whether something would be lost if the old export went, and the new one
// stayed.
func (n *made) takesFrom(old *exportModel, c *configured) bool {
	before := old.before(c)

	return !n.less && (before == nil || before.LostBy(n.asked, &n.result))
}

// replaces says whether the new export is the old one made again, and holds as much.
func (n *made) replaces(old *exportModel, c *configured) bool {
	return n.less || !n.takesFrom(old, c) && len(n.asked.Different(old.before(c).Asked)) == 0 &&
		redact.SameRules(n.rules, mapOf(old.Redact)) && !sourceFrom(old.Source).Differs(n.result.Source)
}

// leave remembers an export that was taken out of the state for another one.
func (c *claims) leave(old *exportModel, file string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()

	if c.leaving == nil {
		c.leaving = map[string]*exportModel{}
	}

	c.leaving[durable.Key(file)] = old
}

// left returns the export in whose place one at the path is made, nil where there is
// none.
func (c *claims) left(file string) *exportModel {
	c.mutex.Lock()
	defer c.mutex.Unlock()

	return c.leaving[durable.Key(file)]
}

// remember is for an export that was made anew.
func (c *claims) remember(n *made) {
	c.mutex.Lock()
	defer c.mutex.Unlock()

	c.made = append(c.made, *n)
}

// holdsLess says whether this run has made an export that holds less than the old one.
func (c *claims) holdsLess(old *exportModel, configuration *configured) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()

	return slices.ContainsFunc(c.made, func(n made) bool { return n.takesFrom(old, configuration) })
}

// plan claims an export's files for a resource.
func (c *claims) plan(file, resource string) bool {
	return c.take(file, func(key string) bool {
		owner, taken := c.planned[key]

		return !taken || owner == resource
	}, func(key string) {
		if c.planned == nil {
			c.planned = map[string]string{}
		}

		c.planned[key] = resource
	})
}

// write claims an export's files for the one change that a resource makes to them.
func (c *claims) write(file string) bool {
	return c.take(file, func(key string) bool { return !c.written[key] }, func(key string) {
		if c.written == nil {
			c.written = map[string]bool{}
		}

		c.written[key] = true
	})
}

// wrote says whether this run has made or changed the export.
func (c *claims) wrote(file string) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()

	return c.written[durable.Key(file)]
}

func (c *claims) take(file string, free func(key string) bool, take func(key string)) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()

	keys := []string{
		durable.Key(file), durable.Key(file + export.ManifestSuffix),
		durable.Key(file + export.ChecksumSuffix),
	}

	for _, key := range keys {
		if !free(key) {
			return false
		}
	}

	for _, key := range keys {
		take(key)
	}

	return true
}

// samePathProblem says that two resources have one path.
func samePathProblem(file string) explain.Problem {
	return explain.Problem{
		Summary: explain.ExportLogs,
		Cause:   "Another resource writes to the same path, or to one of the files beside it.",
		Next:    "Give each export a path of its own.",
	}.With("Path", file).At(explain.Argument("path"))
}

// What Terraform keeps beside a plan and, but for what was just made, beside the state.
const (
	// resourceKey is what the resource is called in claims.
	resourceKey = "resource"
	// makingKey is where the files go of a resource that is planned to be made, null as
	// long as that is not known. While Terraform takes an old resource out of the state, it
	// says that a new one follows.
	makingKey = "making"
)

// resourceName returns what the resource is called in claims, which the plans of one
// resource have in common.
func resourceName(ctx context.Context, known interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}, keep keeper,
) (string, diag.Diagnostics) {
	text, diags := known.GetKey(ctx, resourceKey)

	var name string
	if len(text) > 0 && exactjson.Unmarshal(text, &name) == nil && name != "" {
		return name, diags
	}

	name = rand.Text()
	diags.Append(setKey(ctx, keep, resourceKey, name)...)

	return name, diags
}

// keeper keeps what is beside a plan.
type keeper interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

func setKey(ctx context.Context, keep keeper, key string, value any) diag.Diagnostics {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // A string can be encoded, and so can nothing.
	}

	return keep.SetKey(ctx, key, text)
}
