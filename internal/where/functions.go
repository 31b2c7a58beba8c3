// SPDX-License-Identifier: MPL-2.0

package where

import (
	"net/netip"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

func functions() []cel.EnvOption {
	return []cel.EnvOption{
		ext.Strings(),
		cel.Function("ip_in",
			cel.Overload("ip_in_block", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(ipIn)),
		),
	}
}

// ipIn compares addresses as numbers. An address that is absent or masked lies
// in no block.
func ipIn(address, block ref.Val) ref.Val {
	a, ok := address.(types.String)
	b, okBlock := block.(types.String)

	if !ok || !okBlock {
		return types.MaybeNoSuchOverloadErr(address)
	}

	prefix, err := auditlog.ParseAddress(string(b))
	if err != nil {
		return types.NewErr("the block is neither an IP address nor a CIDR block")
	}

	return types.Bool(inBlock(string(a), prefix))
}

func inBlock(address string, block netip.Prefix) bool {
	a, err := netip.ParseAddr(address)

	return err == nil && block.Contains(a.Unmap())
}
