package rawsock

import (
	"context"
	"errors"
	"io"
)

// Hold keeps a UDP port for this process without reading from it.
func Hold(ctx context.Context, port uint16, device string) (io.Closer, error) {
	return nil, errors.ErrUnsupported
}
