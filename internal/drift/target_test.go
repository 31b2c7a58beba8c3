// SPDX-License-Identifier: MPL-2.0

package drift_test

import (
	"strings"
	"testing"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
	"github.com/auditlogs/terraform-provider-audit/internal/drift"
)

// What is told of a thing is what was done to it, and how it is known is said.
func TestTargets(t *testing.T) {
	t.Parallel()

	const id = "00000000-0000-4000-8000-00000000000a"

	server := drift.Resource{Type: "upcloud_server", ID: id}
	group := drift.Resource{Type: "upcloud_kubernetes_node_group", ID: id + "/workers"}
	volume := drift.Resource{Type: "cloudscale_volume", ID: id, Name: "cache"}

	upcloud := func(logType, id string) auditlog.Entry {
		return auditlog.Entry{Service: auditlog.ServiceUpCloud, ResourceType: logType, ResourceID: id}
	}
	cloudscale := func(logType, name, message string) auditlog.Entry {
		return auditlog.Entry{
			Service: auditlog.ServiceCloudscale, ResourceType: logType, ResourceName: name, Message: message,
		}
	}
	pod := drift.Resource{Type: "podstack_pod", ID: "p-1", Name: "trainer"}
	podstack := func(id, name string) auditlog.Entry {
		return auditlog.Entry{
			Service: auditlog.ServicePodStack, ResourceType: "Pod", ResourceID: id, ResourceName: name,
		}
	}
	attached := "Volume 'cache' has been attached to server 'a'"

	for name, test := range map[string]struct {
		resource drift.Resource
		entry    auditlog.Entry
		want     drift.Match
	}{
		"its id":            {server, upcloud("server", id), drift.ByID},
		"in capitals":       {server, upcloud("server", strings.ToUpper(id)), drift.ByID},
		"another id":        {server, upcloud("server", "00000000-0000-4000-8000-00000000000b"), ""},
		"another cloud":     {server, auditlog.Entry{Service: auditlog.ServicePodStack, ResourceID: id}, ""},
		"what holds it":     {group, upcloud("uks", id), drift.ByContainer},
		"its name":          {volume, cloudscale("volume", "cache", ""), drift.ByName},
		"of another type":   {volume, cloudscale("server", "cache", ""), ""},
		"a part of a name":  {volume, cloudscale("volume", "cache-2", ""), ""},
		"in its server":     {volume, cloudscale("server_volume", "cache", ""), drift.Mentioned},
		"its id is lacking": {pod, podstack("", "trainer"), drift.ByName},
		"a pod's id":        {pod, podstack("P-1", "renamed"), drift.ByID},
		"another pod":       {pod, podstack("p-2", "trainer"), ""},
		"its name, in text": {volume, cloudscale("server_volume", "", attached), drift.Mentioned},
	} {
		target, reason := drift.TargetOf(test.resource, nil)
		if reason != "" {
			t.Fatal(reason)
		}

		if got, ok := target.Match(&test.entry); got != test.want || ok != (test.want != "") {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}

	// What narrows the query leaves nothing out that matches.
	target, _ := drift.TargetOf(pod, nil)
	if q := target.Query(auditlog.Query{}, infoOf(t, auditlog.ServicePodStack)); q.Search != "" || len(q.ResourceIDs) > 0 {
		t.Errorf("got %+v", q)
	}

	for text, want := range map[string]bool{
		`upcloud_server.web["blue]`: true, "module.a": true, "data.upcloud_zone.a": true, "upcloud_server.web.id": true,
		"web": false, "example.com": false, "upcloud_server": false, "": false, "192.0.2.1": false,
	} {
		if got := drift.LooksLikeAddress(text); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}

	for _, test := range []struct {
		resource drift.Resource
		want     drift.Reason
	}{
		{drift.Resource{Type: "dns_record", ID: "1"}, drift.ForeignProvider},
		{drift.Resource{Type: "upcloud_server"}, drift.NoID},
		{drift.Resource{Type: "cloudscale_server", ID: id}, drift.NoName},
		{drift.Resource{Type: "podstack_pod"}, drift.NoName},
		{drift.Resource{Type: "podstack_pod", Name: "trainer"}, ""},
	} {
		if _, got := drift.TargetOf(test.resource, nil); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.resource, got, test.want)
		}
	}

	for name, test := range map[string]struct {
		resource drift.Resource
		want     drift.Reason
	}{
		"found by its id":   {drift.Resource{Type: "upcloud_server", ID: id}, ""},
		"not in the log":    {drift.Resource{Type: "upcloud_router", ID: id}, drift.NotInLog},
		"a name of its own": {drift.Resource{Address: "a", Type: "cloudscale_server", Name: "a"}, ""},
		"a name of two":     {drift.Resource{Address: "b", Type: "cloudscale_server", Name: "twin"}, drift.AmbiguousName},
	} {
		all := []drift.Resource{{Address: "c", Type: "cloudscale_server", Name: "twin"}, test.resource}
		if target, _ := drift.TargetOf(test.resource, all); target.Doubt != test.want {
			t.Errorf("%s: got %q", name, target.Doubt)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]bool{
		"upcloud_server.web": true, `module.a["b"].upcloud_server.web[0]`: true, "module.database": true,
		"data.upcloud_zones.all": true, "data.example.com": false, "web-1": false,
		"00000000-0000-4000-8000-00000000000a": false,
	} {
		if drift.IsAddress(text) != want {
			t.Errorf("%s: not %v", text, want)
		}
	}
}
