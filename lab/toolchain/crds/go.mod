module balai.invalid/lab/toolchain/crds

go 1.26.0

// Modules of which only the resource definitions are used; lab/crds.py says which files.
require (
	github.com/cloudnative-pg/cloudnative-pg v1.29.0
	github.com/envoyproxy/gateway v1.9.1
	sigs.k8s.io/gateway-api v1.6.3
)
