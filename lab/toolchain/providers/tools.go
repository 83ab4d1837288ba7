//go:build tools

// Package tools names the module whose resource definitions are made from its types, so that `go mod tidy` keeps it.
package tools

import _ "github.com/metal3-io/cluster-api-provider-metal3/api/v1beta1"
