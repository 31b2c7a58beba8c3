// SPDX-License-Identifier: MPL-2.0

//go:build !windows

package provider_test

import (
	"os"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// A journal that others may have written is an error while planning, and what it
// names is not touched.
func TestAccExport_foreignJournal(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 5, Seed: 9})
	w.write(".a.json.audit-commit", `{"version": 1}`)

	if err := os.Chmod(w.file(".a.json.audit-commit"), 0o602); err != nil {
		t.Fatal(err)
	}

	w.test(resource.TestStep{
		Config:   w.export("a.json", "json", month+"  overwrite = true\n"),
		PlanOnly: true,
		ExpectError: diagnostic("Export audit logs", `A file that says what an interrupted export would put in place was not left by an export of this user: others may write to it.

Path: `+w.file(".a.json.audit-commit")+`

If another user of yours left it, let that user export once more; else find out who did, and remove it.`),
	})

	if got := w.files("."); len(got) != 1 {
		t.Errorf("files are %v", got)
	}
}

// A change of file_permission that nobody looked at the files for follows no link.
func TestAccExport_permissionFollowsNoLink(t *testing.T) {
	t.Parallel()

	w := newWorld(t, fakeapi.Options{Entries: 5, Seed: 9})
	config := w.export("a.csv", "csv", month)
	shared := w.export("a.csv", "csv", month+"  file_permission = \"0644\"\n")
	data := w.file("a.csv")

	must := func(errs ...error) {
		for _, err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
	}

	link := func(how func(from, to string) error) func() {
		return func() {
			w.write("secret", "secret")
			must(os.Rename(data, data+".away"), how(w.file("secret"), data))
		}
	}

	restore := func() {
		for _, name := range []string{"secret", "a.csv.manifest.json", "a.csv.sha256"} {
			info, err := os.Stat(w.file(name))
			must(err)

			if err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("permission of %s is %v", name, info.Mode())
			}
		}

		must(os.Rename(data+".away", data))
	}

	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: w.factories(),
		AdditionalCLIOptions:     &resource.AdditionalCLIOptions{Plan: resource.PlanOptions{NoRefresh: true}},
		Steps: []resource.TestStep{
			{Config: config},
			{PreConfig: link(os.Symlink), Config: shared, ExpectError: diagnostic("Export audit logs", `What is at the path is not a regular file.

Path: `+data+`

Choose another path; symbolic links and devices are never replaced.`)},
			{PreConfig: restore, Config: config},
			{PreConfig: link(os.Link), Config: shared, ExpectError: diagnostic("Export audit logs", `The file has a second name, a hard link, and would change there as well.

Path: `+data+`

Remove the other name, or replace the file by a copy.`)},
			{PreConfig: restore, Config: config},
		},
	})
}
