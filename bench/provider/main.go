// SPDX-License-Identifier: MPL-2.0

//go:build unix

// Command provider is the provider, which also tells what it cost.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/auditlogs/terraform-provider-audit/bench/cost"
	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

func main() {
	err := cost.Profiled(func() error {
		return tf6server.Serve("registry.terraform.io/auditlogs/audit", provider.NewServer(provider.Options{
			Version: "0.0.0", Clock: time.Now, LookupEnv: os.LookupEnv,
		}))
	})

	if err := errors.Join(err, cost.Tell()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
