// SPDX-License-Identifier: MPL-2.0

package drift

import (
	"maps"
	"slices"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// Kind says how resources of a type are found in the log of their cloud.
type Kind struct {
	Service string
	// LogTypes are the types of resources as the log spells them. Without any, the log is not known to record the type:
	// what has the id of the resource counts, and finding nothing proves nothing.
	LogTypes []string
	Match    Match
	// name is the attribute that holds what the log calls the resource, where it is not one of the usual ones.
	name string
}

// certain says whether the log is known to record the type.
func (k *Kind) certain() bool { return len(k.LogTypes) > 0 }

// prefixes are what types of resources begin with, by service.
var prefixes = map[string]string{
	"upcloud_": auditlog.ServiceUpCloud, "cloudscale_": auditlog.ServiceCloudscale, "podstack_": auditlog.ServicePodStack,
}

// usualNames are attributes that hold the name of a resource, the first that is there counts.
var usualNames = []string{"name", "title", "hostname", "display_name"}

// upCloudTypes are the types of resources of UpCloud's provider by what the log calls them: those of the specification,
// and "network" of its examples; design/api-facts.md §1.3. The ids of these resources are UUIDs, as resource_id is.
var upCloudTypes = map[string]string{
	"server":  "server",
	"storage": "storage storage_backup storage_template",
	"network": "network",
	"managed-database": "managed_database_mysql managed_database_postgresql managed_database_opensearch " +
		"managed_database_valkey managed_database_redis",
	"managed-loadbalancer": "loadbalancer",
	"managed-loadbalancer-certificate-bundle": "loadbalancer_dynamic_certificate_bundle " +
		"loadbalancer_manual_certificate_bundle",
	"managed-object-storage": "managed_object_storage",
	"network-gateway":        "gateway",
	"uks":                    "kubernetes_cluster",
}

// upCloudParts are the types whose resources are parts of another one, by what the log calls that. Their ids begin with
// its id, or are it, up to a slash.
var upCloudParts = map[string]string{
	"server":           "firewall_rules",
	"managed-database": "managed_database_connection_pool managed_database_logical_database managed_database_user",
	"managed-loadbalancer": "loadbalancer_backend loadbalancer_backend_tls_config loadbalancer_dynamic_backend_member " +
		"loadbalancer_frontend loadbalancer_frontend_rule loadbalancer_frontend_tls_config loadbalancer_resolver " +
		"loadbalancer_static_backend_member",
	"managed-object-storage": "managed_object_storage_bucket managed_object_storage_custom_domain " +
		"managed_object_storage_policy managed_object_storage_static_site managed_object_storage_user " +
		"managed_object_storage_user_access_key managed_object_storage_user_policy",
	"network-gateway": "gateway_connection gateway_connection_tunnel",
	"uks":             "kubernetes_node_group",
}

// cloudscaleTypes are the types of resources of cloudscale's provider that its log is known to name; §2.3. Of others an
// action is expected to begin with the type as well.
var cloudscaleTypes = []string{"server", "volume"}

var kinds = func() map[string]Kind {
	all := map[string]Kind{}

	for match, table := range map[Match]map[string]string{ByID: upCloudTypes, ByContainer: upCloudParts} {
		for logType, types := range table {
			for t := range strings.FieldsSeq(types) {
				all["upcloud_"+t] = Kind{Service: auditlog.ServiceUpCloud, LogTypes: []string{logType}, Match: match}
			}
		}
	}

	for _, t := range cloudscaleTypes {
		all["cloudscale_"+t] = Kind{Service: auditlog.ServiceCloudscale, LogTypes: []string{t}, Match: ByName}
	}

	all["cloudscale_floating_ip"] = Kind{Service: auditlog.ServiceCloudscale, Match: ByName, name: "network"}

	return all
}()

// KindOf says how resources of a type are found, and false where the type is of no cloud whose log can be read.
func KindOf(resourceType string) (Kind, bool) {
	if k, ok := kinds[resourceType]; ok {
		return k, true
	}

	for prefix, service := range prefixes {
		if strings.HasPrefix(resourceType, prefix) {
			k := Kind{Service: service, Match: ByID}
			if service == auditlog.ServiceCloudscale {
				k.Match = ByName
			}

			return k, true
		}
	}

	return Kind{}, false
}

// Types lists the types of resources that the log of their cloud is known to record, sorted.
func Types() []string {
	all := make([]string, 0, len(kinds))

	for name := range kinds {
		if k := kinds[name]; k.certain() {
			all = append(all, name)
		}
	}

	slices.Sort(all)

	return all
}

// unmanageable are types of things in logs that no provider of the cloud manages, so that nobody creates one outside of
// Terraform.
var unmanageable = map[string][]string{
	auditlog.ServiceUpCloud:    {"auth", "account", "ssh-key", "init-script"},
	auditlog.ServiceCloudscale: {"api_token", "user", "project", "organization_user"},
}

// nameOf returns what the log calls a resource, given its attributes that are texts, and which of them says so.
func nameOf(resourceType string, texts map[string]string) (name, attribute string) {
	k, _ := KindOf(resourceType)

	if k.name != "" {
		name, _, _ := strings.Cut(texts[k.name], "/") // A network is its address and a length.

		return name, k.name
	}

	for _, attribute := range usualNames {
		if name := texts[attribute]; name != "" {
			return name, attribute
		}
	}

	return "", ""
}

// normalType is a type as the logs and Terraform both spell it.
func normalType(t string) string {
	return joined.Replace(strings.ToLower(auditlog.Normal(t)))
}

var joined = strings.NewReplacer("-", "_", " ", "_")

// isUUID says whether an id is one that nothing else can have.
func isUUID(id string) bool {
	if len(id) != len("00000000-0000-0000-0000-000000000000") {
		return false
	}

	for i, c := range id {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
				return false
			}
		}
	}

	return true
}

// Clouds returns the clouds that resources are of, sorted.
func Clouds(resources []Resource) []string {
	found := map[string]bool{}

	for i := range resources {
		if k, known := KindOf(resources[i].Type); known {
			found[k.Service] = true
		}
	}

	return slices.Sorted(maps.Keys(found))
}
