// SPDX-License-Identifier: MPL-2.0

package archive

import (
	_ "embed"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
)

// readmeKey is where an archive says what it is, to whoever finds it years later.
const readmeKey = "README.txt"

//go:embed README.txt
var readme string

// besides is what lies beside the log, by its keys. Git would change the line endings
// of files in a directory.
func besides(store durable.Store) map[string]string {
	files := map[string]string{readmeKey: readme}
	if durable.InDirectory(store) {
		files[durable.AttributesKey] = durable.AttributesText
	}

	return files
}
