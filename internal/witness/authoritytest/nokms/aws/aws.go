// SPDX-License-Identifier: MPL-2.0

// Package aws stands for the keys in AWS.
package aws
