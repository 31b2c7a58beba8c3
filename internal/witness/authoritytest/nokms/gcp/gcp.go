// SPDX-License-Identifier: MPL-2.0

// Package gcp stands for the keys in Google Cloud.
package gcp
