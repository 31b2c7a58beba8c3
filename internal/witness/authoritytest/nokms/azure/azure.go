// SPDX-License-Identifier: MPL-2.0

// Package azure stands for the keys in Azure.
package azure
