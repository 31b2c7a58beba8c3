// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/retries"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// NewServer returns a factory of what Terraform talks to.
func NewServer(o Options) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer { return &server{next: providerserver.NewProtocol6(New(o)())()} }
}

// server passes everything on to the framework. Every answer to Terraform comes
// through it, and every text in one is made fit to be shown, whoever wrote it.
//
// It has all the methods by itself, and embeds nothing: one that is added to the
// protocol has to be added here before anything compiles.
type server struct {
	next tfprotov6.ProviderServer

	mu sync.Mutex
	// waits are those of the run so far, reported how long they were when that was
	// last said.
	waits    retries.Waits
	reported time.Duration
}

// worthMentioning is how long a run waits for retries before it says so.
const worthMentioning = 10 * time.Second

// pass has a request answered, and makes the answer fit to be shown.
func pass[Q, R any](ctx context.Context, s *server, req *Q, next func(context.Context, *Q) (*R, error)) (*R, error) {
	ctx, tally := retries.Watch(ctx)

	resp, err := next(ctx, req)
	if err != nil {
		err = errors.New(screen.Lines(err.Error()))
	}

	if resp == nil {
		return nil, err
	}

	fields := reflect.ValueOf(resp).Elem()

	if diags, ok := fieldOf[[]*tfprotov6.Diagnostic](fields, "Diagnostics"); ok {
		*diags = append(*diags, s.waited(tally.Waits())...)
		for _, d := range *diags {
			d.Summary, d.Detail = screen.Text(d.Summary), screen.Lines(d.Detail)
		}
	}

	if text, ok := fieldOf[string](fields, "Error"); ok {
		*text = screen.Lines(*text)
	}

	if failed, ok := fieldOf[*tfprotov6.FunctionError](fields, "Error"); ok && *failed != nil {
		(*failed).Text = screen.Lines((*failed).Text)
	}

	return resp, err
}

// fieldOf returns a field of an answer, if it has one of that name and type.
func fieldOf[T any](answer reflect.Value, name string) (*T, bool) {
	f := answer.FieldByName(name)
	if !f.IsValid() {
		return nil, false
	}

	return reflect.TypeAssert[*T](f.Addr())
}

// waited adds the waits of one request to those of the run, and returns a warning
// where the run has waited long since that was last said.
func (s *server) waited(w retries.Waits) []*tfprotov6.Diagnostic {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.waits = s.waits.Add(w)
	if w.Count == 0 || s.waits.Total-s.reported <= worthMentioning {
		return nil
	}

	s.reported = s.waits.Total
	p := explain.Waits(s.waits)

	return []*tfprotov6.Diagnostic{{Severity: tfprotov6.DiagnosticSeverityWarning, Summary: p.Summary, Detail: p.Detail()}}
}

// GetMetadata implements tfprotov6.ProviderServer.
func (s *server) GetMetadata(
	ctx context.Context, req *tfprotov6.GetMetadataRequest,
) (*tfprotov6.GetMetadataResponse, error) {
	return pass(ctx, s, req, s.next.GetMetadata)
}

// GetProviderSchema implements tfprotov6.ProviderServer.
func (s *server) GetProviderSchema(
	ctx context.Context, req *tfprotov6.GetProviderSchemaRequest,
) (*tfprotov6.GetProviderSchemaResponse, error) {
	return pass(ctx, s, req, s.next.GetProviderSchema)
}

// GetResourceIdentitySchemas implements tfprotov6.ProviderServer.
func (s *server) GetResourceIdentitySchemas(
	ctx context.Context, req *tfprotov6.GetResourceIdentitySchemasRequest,
) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return pass(ctx, s, req, s.next.GetResourceIdentitySchemas)
}

// ValidateProviderConfig implements tfprotov6.ProviderServer.
func (s *server) ValidateProviderConfig(
	ctx context.Context, req *tfprotov6.ValidateProviderConfigRequest,
) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return pass(ctx, s, req, s.next.ValidateProviderConfig)
}

// ConfigureProvider implements tfprotov6.ProviderServer.
func (s *server) ConfigureProvider(
	ctx context.Context, req *tfprotov6.ConfigureProviderRequest,
) (*tfprotov6.ConfigureProviderResponse, error) {
	return pass(ctx, s, req, s.next.ConfigureProvider)
}

// StopProvider implements tfprotov6.ProviderServer.
func (s *server) StopProvider(
	ctx context.Context, req *tfprotov6.StopProviderRequest,
) (*tfprotov6.StopProviderResponse, error) {
	return pass(ctx, s, req, s.next.StopProvider)
}

// ValidateResourceConfig implements tfprotov6.ProviderServer.
func (s *server) ValidateResourceConfig(
	ctx context.Context, req *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return pass(ctx, s, req, s.next.ValidateResourceConfig)
}

// UpgradeResourceState implements tfprotov6.ProviderServer.
func (s *server) UpgradeResourceState(
	ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest,
) (*tfprotov6.UpgradeResourceStateResponse, error) {
	return pass(ctx, s, req, s.next.UpgradeResourceState)
}

// ReadResource implements tfprotov6.ProviderServer.
func (s *server) ReadResource(
	ctx context.Context, req *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	return pass(ctx, s, req, s.next.ReadResource)
}

// PlanResourceChange implements tfprotov6.ProviderServer.
func (s *server) PlanResourceChange(
	ctx context.Context, req *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	return pass(ctx, s, req, s.next.PlanResourceChange)
}

// ApplyResourceChange implements tfprotov6.ProviderServer.
func (s *server) ApplyResourceChange(
	ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	return pass(ctx, s, req, s.next.ApplyResourceChange)
}

// ImportResourceState implements tfprotov6.ProviderServer.
func (s *server) ImportResourceState(
	ctx context.Context, req *tfprotov6.ImportResourceStateRequest,
) (*tfprotov6.ImportResourceStateResponse, error) {
	return pass(ctx, s, req, s.next.ImportResourceState)
}

// MoveResourceState implements tfprotov6.ProviderServer.
func (s *server) MoveResourceState(
	ctx context.Context, req *tfprotov6.MoveResourceStateRequest,
) (*tfprotov6.MoveResourceStateResponse, error) {
	return pass(ctx, s, req, s.next.MoveResourceState)
}

// UpgradeResourceIdentity implements tfprotov6.ProviderServer.
func (s *server) UpgradeResourceIdentity(
	ctx context.Context, req *tfprotov6.UpgradeResourceIdentityRequest,
) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return pass(ctx, s, req, s.next.UpgradeResourceIdentity)
}

// GenerateResourceConfig implements tfprotov6.ProviderServer.
func (s *server) GenerateResourceConfig(
	ctx context.Context, req *tfprotov6.GenerateResourceConfigRequest,
) (*tfprotov6.GenerateResourceConfigResponse, error) {
	return pass(ctx, s, req, s.next.GenerateResourceConfig)
}

// ValidateDataResourceConfig implements tfprotov6.ProviderServer.
func (s *server) ValidateDataResourceConfig(
	ctx context.Context, req *tfprotov6.ValidateDataResourceConfigRequest,
) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return pass(ctx, s, req, s.next.ValidateDataResourceConfig)
}

// ReadDataSource implements tfprotov6.ProviderServer.
func (s *server) ReadDataSource(
	ctx context.Context, req *tfprotov6.ReadDataSourceRequest,
) (*tfprotov6.ReadDataSourceResponse, error) {
	return pass(ctx, s, req, func(
		ctx context.Context, req *tfprotov6.ReadDataSourceRequest,
	) (*tfprotov6.ReadDataSourceResponse, error) {
		ctx, rows := awaitRows(ctx)

		resp, err := s.next.ReadDataSource(ctx, req)
		if resp != nil && resp.Deferred == nil {
			rows.put(&resp.State, &resp.Diagnostics)
		}

		return resp, err //nolint:wrapcheck // pass makes it fit to be shown
	})
}

// CallFunction implements tfprotov6.ProviderServer.
func (s *server) CallFunction(
	ctx context.Context, req *tfprotov6.CallFunctionRequest,
) (*tfprotov6.CallFunctionResponse, error) {
	return pass(ctx, s, req, s.next.CallFunction)
}

// GetFunctions implements tfprotov6.ProviderServer.
func (s *server) GetFunctions(
	ctx context.Context, req *tfprotov6.GetFunctionsRequest,
) (*tfprotov6.GetFunctionsResponse, error) {
	return pass(ctx, s, req, s.next.GetFunctions)
}

// ValidateEphemeralResourceConfig implements tfprotov6.ProviderServer.
func (s *server) ValidateEphemeralResourceConfig(
	ctx context.Context, req *tfprotov6.ValidateEphemeralResourceConfigRequest,
) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	return pass(ctx, s, req, s.next.ValidateEphemeralResourceConfig)
}

// OpenEphemeralResource implements tfprotov6.ProviderServer.
func (s *server) OpenEphemeralResource(
	ctx context.Context, req *tfprotov6.OpenEphemeralResourceRequest,
) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	return pass(ctx, s, req, func(
		ctx context.Context, req *tfprotov6.OpenEphemeralResourceRequest,
	) (*tfprotov6.OpenEphemeralResourceResponse, error) {
		ctx, rows := awaitRows(ctx)

		resp, err := s.next.OpenEphemeralResource(ctx, req)
		if resp != nil && resp.Deferred == nil {
			rows.put(&resp.Result, &resp.Diagnostics)
		}

		return resp, err //nolint:wrapcheck // pass makes it fit to be shown
	})
}

// RenewEphemeralResource implements tfprotov6.ProviderServer.
func (s *server) RenewEphemeralResource(
	ctx context.Context, req *tfprotov6.RenewEphemeralResourceRequest,
) (*tfprotov6.RenewEphemeralResourceResponse, error) {
	return pass(ctx, s, req, s.next.RenewEphemeralResource)
}

// CloseEphemeralResource implements tfprotov6.ProviderServer.
func (s *server) CloseEphemeralResource(
	ctx context.Context, req *tfprotov6.CloseEphemeralResourceRequest,
) (*tfprotov6.CloseEphemeralResourceResponse, error) {
	return pass(ctx, s, req, s.next.CloseEphemeralResource)
}
