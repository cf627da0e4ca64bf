package e2e

import "testing"

func dhcpClients(t *testing.T, b *bench) {}
