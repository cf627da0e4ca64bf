package nat

import (
	"context"
	"errors"

	"surefoot/internal/kernel/nft"
)

// Left lists the tables of ours that stand in the kernel. Without the program nft there are none.
func Left(ctx context.Context) ([]string, error) {
	var out []string
	for _, t := range [][2]string{{familyNAT, tableNAT}, {familyDirect, tableDirect}} {
		_, there, err := nft.List(ctx, t[0], t[1])
		if errors.As(err, new(*nft.MissingError)) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if there {
			out = append(out, "nftables table "+t[0]+" "+t[1])
		}
	}
	return out, nil
}
