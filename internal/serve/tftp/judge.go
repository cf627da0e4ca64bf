package tftp

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"surefoot/internal/boot"
	"surefoot/internal/files"
	wire "surefoot/internal/wire/tftp"
)

// verdict is what a packet on the request port means. Reason is Answered for a request to work
// on. Otherwise the packet is refused with an ERROR when silent is false.
type verdict struct {
	req    wire.Request
	reason boot.Reason
	detail string
	silent bool
	code   wire.ErrorCode
	text   string // of the ERROR
}

// judge decides what a packet on the request port is. Only a request is ever answered: an ERROR
// in reply to anything else is how two servers are set on each other (VU#417980). uploads says
// whether any folder takes them.
func judge(packet []byte, uploads bool) verdict {
	op, ok := wire.PeekOp(packet)
	if !ok {
		return verdict{silent: true, reason: boot.Malformed, detail: fmt.Sprintf("%d bytes", len(packet))}
	}
	if op != wire.OpRRQ && op != wire.OpWRQ {
		return verdict{silent: true, reason: boot.UnexpectedOpcode, detail: op.String()}
	}
	if len(packet) > maxRequest {
		return verdict{silent: true, reason: boot.BadRequest, detail: fmt.Sprintf("more than %d bytes", maxRequest)}
	}
	req, err := wire.ParseRequest(packet)
	v := verdict{req: req, reason: boot.Answered}
	switch {
	case err != nil:
		return verdict{silent: true, reason: boot.BadRequest, detail: err.Error()}
	case op == wire.OpWRQ && !uploads:
		v.reason, v.code, v.text = boot.WriteRefused, wire.ErrAccess, "uploads are off"
	case !req.IsOctet() && !req.IsNetascii():
		v.reason, v.detail = boot.BadMode, fmt.Sprintf("mode %.40q", req.Mode)
		v.code, v.text = wire.ErrIllegal, "the mode must be octet or netascii"
	}
	return v
}

// judgeOpen says what an error of files.Open means to the client and to the story. Names that
// are near are for the story only, not for strangers.
func judgeOpen(name string, err error) verdict {
	v := verdict{detail: err.Error()}
	var missing *files.NotFoundError
	var template *files.TemplateError
	switch {
	case errors.As(err, &template):
		v.reason, v.code, v.text = boot.TemplateFailed, wire.ErrUndefined, "the file cannot be made"
	case errors.As(err, &missing):
		v.reason, v.code, v.text = boot.FileMissing, wire.ErrNotFound, "no such file: "+printable(name)
		v.detail = "nothing has a similar name"
		if len(missing.Near) > 0 {
			v.detail = "near: " + strings.Join(missing.Near, ", ")
		}
		if missing.Target != "" {
			v.detail = fmt.Sprintf("it stands for %.200q, which is not there; %s", missing.Target, v.detail)
		}
	case errors.Is(err, files.ErrOutside):
		v.reason, v.code, v.text = boot.AccessDenied, wire.ErrAccess, "access denied: "+printable(name)
	case errors.Is(err, files.ErrNotAFile):
		v.reason, v.code, v.text = boot.NotAFile, wire.ErrAccess, "not a regular file: "+printable(name)
	case errors.Is(err, fs.ErrPermission):
		v.reason, v.code, v.text = boot.AccessDenied, wire.ErrAccess, "access denied: "+printable(name)
		v.detail += " (the user that serves may not read it)"
	default:
		v.reason, v.code, v.text = boot.ReadFailed, wire.ErrUndefined, "the file cannot be read"
	}
	return v
}

// printable makes a name fit for an ERROR: at most 200 bytes of plain text.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, name)
	if len(name) > 200 {
		name = name[:200] + "..."
	}
	return name
}
