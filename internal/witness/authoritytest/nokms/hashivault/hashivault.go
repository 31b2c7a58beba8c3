// SPDX-License-Identifier: MPL-2.0

// Package hashivault stands for the keys in HashiCorp Vault.
package hashivault
