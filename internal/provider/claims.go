// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/export"
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

	keys := []string{durable.Key(file), durable.Key(file + export.ManifestSuffix), durable.Key(file + export.ChecksumSuffix)}

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
func samePathProblem(file string) diag.Diagnostic {
	return problem{
		summary: exportSummary,
		cause:   "Another resource writes to the same path, or to one of the files beside it.",
		next:    "Give each export a path of its own.",
	}.with("Path", file).at(path.Root("path"))
}

// resourceKey is where Terraform keeps what a resource is called in claims.
const resourceKey = "resource"

// resourceName returns what the resource is called in claims, which the plans of one
// resource have in common.
func resourceName(ctx context.Context, known interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}, keep interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
},
) (string, diag.Diagnostics) {
	text, diags := known.GetKey(ctx, resourceKey)

	var name string
	if len(text) > 0 && exactjson.Unmarshal(text, &name) == nil && name != "" {
		return name, diags
	}

	name = rand.Text()

	text, err := json.Marshal(name)
	if err != nil {
		panic(err) // A string can be encoded.
	}

	diags.Append(keep.SetKey(ctx, resourceKey, text)...)

	return name, diags
}
