package lab

// stripper turns what firmware sends to a terminal into lines of text. It works on a stream: a
// sequence may be split over two pieces.
//
//   - Escape sequences (ECMA-48) go. A cursor that moves to another place breaks the line, so that
//     what was far apart on the screen does not run together.
//   - What is erased by backspaces (iPXE's prompt) ends its line.
//   - A line that was broken only because the screen is that wide is joined again.
type stripper struct {
	width  int // columns of the screen, 0: lines are not joined
	column int
	state  stripState
}

type stripState int

const (
	plain stripState = iota
	escape
	control // between ESC [ and the final byte
	erasing
)

// text returns what is left of a piece of the stream.
func (s *stripper) text(p []byte) string {
	out := make([]byte, 0, len(p))
	for _, b := range p {
		switch s.state {
		case escape:
			s.state = plain
			switch b {
			case '[':
				s.state = control
			case 'c': // reset: a machine that starts again
				out = s.breakLine(out)
			}
			continue
		case control:
			if b >= 0x40 && b <= 0x7e {
				s.state = plain
				if b == 'H' || b == 'f' {
					out = s.breakLine(out)
				}
			}
			continue
		case erasing:
			if b == '\b' || b == ' ' {
				continue
			}
			s.state = plain
		case plain:
		}
		switch {
		case b == 0x1b:
			s.state = escape
		case b == '\b':
			s.state = erasing
			out = s.breakLine(out)
		case b == '\n' && s.width > 0 && s.column == s.width:
			s.column = 0
		case b == '\n':
			out = append(out, b)
			s.column = 0
		case b == '\t' || b >= ' ' && b < 0x7f:
			out = append(out, b)
			s.column++
		}
	}
	return string(out)
}

// breakLine ends the line unless it is empty.
func (s *stripper) breakLine(out []byte) []byte {
	if s.column == 0 {
		return out
	}
	s.column = 0
	return append(out, '\n')
}
