// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-audit serves the provider to Terraform.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"log"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/auditlogs/terraform-provider-audit/internal/provider"
)

// version is set when a release is built.
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "serve for a debugger: print what to set TF_REATTACH_PROVIDERS to")
	flag.Parse()

	err := providerserver.Serve(context.Background(), provider.New(provider.Options{
		Version:   version,
		Clock:     time.Now,
		LookupEnv: os.LookupEnv,
		Runner:    runner(),
	}), providerserver.ServeOpts{
		Address:         "registry.terraform.io/auditlogs/audit",
		Debug:           *debug,
		ProtocolVersion: 6,
	})
	if err != nil {
		log.Fatal(err)
	}
}

// runner tells this process from every other, for people as well.
func runner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}

	return host + "-" + rand.Text()
}
