module balai.invalid/lab/toolchain/openstack

go 1.25.0

require sigs.k8s.io/cluster-api-provider-openstack v0.13.0
