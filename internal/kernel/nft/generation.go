package nft

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	subsysNFTables = 10 // NFNL_SUBSYS_NFTABLES
	msgGetGen      = 16 // NFT_MSG_GETGEN
	attrGenID      = 1  // NFTA_GEN_ID
)

// Generation is a number that the kernel raises by one with each transaction of whomever in this network
// namespace: where it is the same, nothing has changed. It costs one message, and no program.
func Generation() (uint32, error) {
	req := nl.NewNetlinkRequest(subsysNFTables<<8|msgGetGen, 0)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	msgs, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil {
		return 0, fmt.Errorf("ask for the generation of nftables: %w", err)
	}
	for _, m := range msgs {
		if len(m) < nl.SizeofNfgenmsg {
			continue
		}
		attrs, err := nl.ParseRouteAttr(m[nl.SizeofNfgenmsg:])
		if err != nil {
			return 0, fmt.Errorf("read the generation of nftables: %w", err)
		}
		for _, a := range attrs {
			if a.Attr.Type == attrGenID && len(a.Value) >= 4 {
				return binary.BigEndian.Uint32(a.Value), nil
			}
		}
	}
	return 0, errors.New("the kernel tells no generation of nftables")
}
