package e2e

import "testing"

func dhcpClients(t *testing.T, b *bench) {}
func dhcpBurst(t *testing.T, b *bench)   {}
func dhcpKill(t *testing.T, b *bench)    {}
func dhcpFull(t *testing.T, b *bench)    {}
func dhcpHostile(t *testing.T, b *bench) {}
