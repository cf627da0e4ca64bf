package dhcp4

const leastRank = 4

// rank is how little a client misses an option that there is no room for, 0 if a reply without it is none.
func rank(c Code) int {
	switch c {
	case MessageTypeOption, ServerID, LeaseTime, SubnetMask, RelayAgentInfo:
		return 0
	case Router, ClasslessRoutes, MicrosoftRoutes, ClientID, RenewalTime, RebindingTime, // to be on the network
		VendorClass, VendorSpecific, BootFileName, TFTPServerName, ClientUUID: // to boot
		return 1
	case TFTPServers, RootPath, BootFileSize, RLPServer, IPXE, PXELinuxMagic, PXELinuxConfig, PXELinuxPrefix, PXELinuxReboot, Message:
		return 2
	case DNSServer, DomainName, HostName, InterfaceMTU, BroadcastAddress:
		return 3
	}
	return leastRank
}
