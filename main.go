// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-audit serves the provider to Terraform.
package main

import (
	"flag"
	"log"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/auditlogs/terraform-provider-audit/internal/provider"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// version is set when a release is built.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "serve for a debugger: print what to set TF_REATTACH_PROVIDERS to")
	flag.Parse()

	var options []tf6server.ServeOpt
	if *debug {
		options = append(options, tf6server.WithManagedDebug())
	}

	err := tf6server.Serve("registry.terraform.io/auditlogs/audit", provider.NewServer(provider.Options{
		Version:   version,
		Clock:     time.Now,
		LookupEnv: os.LookupEnv,
	}), options...)
	if err != nil {
		log.Fatal(screen.Lines(err.Error()))
	}
}
