package lease

// slab holds values by index, from 1 on, in pieces that never move: growing it copies nothing,
// however many there are.
type slab[T any] struct {
	pieces [][]T
	used   uint32 // indices ever given
	spare  []uint32
}

const slabBits, slabPiece = 10, 1 << 10

func (s *slab[T]) at(i uint32) *T { return &s.pieces[i>>slabBits][i&(slabPiece-1)] }

// add returns the index of a zero value.
func (s *slab[T]) add() uint32 {
	if n := len(s.spare); n > 0 {
		i := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return i
	}
	s.used++
	if int(s.used>>slabBits) >= len(s.pieces) {
		s.pieces = append(s.pieces, make([]T, slabPiece))
	}
	return s.used
}

func (s *slab[T]) remove(i uint32) {
	var zero T
	*s.at(i) = zero
	s.spare = append(s.spare, i)
}
