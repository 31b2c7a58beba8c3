// SPDX-License-Identifier: MPL-2.0

package ocsf

// ProviderOf is how people write a cloud, "" where nobody has said.
func ProviderOf(cloud string) string { return providers[cloud] }
