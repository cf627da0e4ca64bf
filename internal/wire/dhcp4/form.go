package dhcp4

// form is how the value of an option is written down for people.
type form uint8

const (
	asHex form = iota
	asText
	asFile // text with a NUL at its end, see Packet.SetBootFile
	asAddr
	asMask
	asAddrs
	asUint8
	asUint16
	asUint32
	asInt32
	asRoutes
	asNames
	asEmpty
	asType
	asCodes
	asAgent
)

// describe returns the name of an option and the form of its value; ok is false for an option
// without a name.
func (c Code) describe() (name string, f form, ok bool) {
	switch c {
	case Pad:
		return "pad", asHex, true
	case SubnetMask:
		return "subnet-mask", asMask, true
	case TimeOffset:
		return "time-offset", asInt32, true
	case Router:
		return "router", asAddrs, true
	case TimeServer:
		return "time-server", asAddrs, true
	case DNSServer:
		return "dns-server", asAddrs, true
	case LogServer:
		return "log-server", asAddrs, true
	case RLPServer:
		return "rlp-server", asAddrs, true
	case HostName:
		return "host-name", asText, true
	case BootFileSize:
		return "boot-file-size", asUint16, true
	case DomainName:
		return "domain-name", asText, true
	case RootPath:
		return "root-path", asText, true
	case InterfaceMTU:
		return "mtu", asUint16, true
	case BroadcastAddress:
		return "broadcast-address", asAddr, true
	case StaticRoutes:
		return "static-routes", asAddrs, true
	case NTPServers:
		return "ntp-servers", asAddrs, true
	case VendorSpecific:
		return "vendor-specific", asHex, true
	case NetBIOSNameServers:
		return "netbios-name-servers", asAddrs, true
	case NetBIOSNodeType:
		return "netbios-node-type", asUint8, true
	case RequestedAddress:
		return "requested-address", asAddr, true
	case LeaseTime:
		return "lease-time", asUint32, true
	case Overload:
		return "overload", asUint8, true
	case MessageTypeOption:
		return "message-type", asType, true
	case ServerID:
		return "server-id", asAddr, true
	case ParameterList:
		return "parameter-list", asCodes, true
	case Message:
		return "message", asText, true
	case MaxMessageSize:
		return "max-message-size", asUint16, true
	case RenewalTime:
		return "renewal-time", asUint32, true
	case RebindingTime:
		return "rebinding-time", asUint32, true
	case VendorClass:
		return "vendor-class", asText, true
	case ClientID:
		return "client-id", asHex, true
	case TFTPServerName:
		return "tftp-server-name", asText, true
	case BootFileName:
		return "boot-file-name", asFile, true
	case UserClass:
		return "user-class", asText, true
	case RapidCommit:
		return "rapid-commit", asEmpty, true
	case ClientFQDN:
		return "client-fqdn", asHex, true
	case RelayAgentInfo:
		return "relay-agent-info", asAgent, true
	case ClientArch:
		return "client-arch", asHex, true
	case ClientNDI:
		return "client-ndi", asHex, true
	case ClientUUID:
		return "client-uuid", asHex, true
	case PCode:
		return "posix-timezone", asText, true
	case TCode:
		return "tz-timezone", asText, true
	case AutoConfigure:
		return "auto-configure", asUint8, true
	case SubnetSelection:
		return "subnet-selection", asAddr, true
	case DomainSearch:
		return "domain-search", asNames, true
	case ClasslessRoutes:
		return "classless-routes", asRoutes, true
	case VendorIdentifying:
		return "vendor-identifying", asHex, true
	case TFTPServers:
		return "tftp-servers", asAddrs, true
	case IPXE:
		return "ipxe", asHex, true
	case PXELinuxMagic:
		return "pxelinux-magic", asHex, true
	case PXELinuxConfig:
		return "pxelinux-config", asText, true
	case PXELinuxPrefix:
		return "pxelinux-prefix", asText, true
	case PXELinuxReboot:
		return "pxelinux-reboot-time", asUint32, true
	case MicrosoftRoutes:
		return "microsoft-routes", asRoutes, true
	case WPAD:
		return "wpad", asText, true
	case End:
		return "end", asHex, true
	}
	return "option", asHex, false
}
