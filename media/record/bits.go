package record

// bits reads a bit stream, the highest bit of a byte first. Past the end it reads zeros and says so.
type bits struct {
	b    []byte
	at   int
	past bool
}

func (r *bits) read(n int) (v uint32) {
	for range n {
		v <<= 1
		if r.at>>3 >= len(r.b) {
			r.past = true
			continue
		}
		v |= uint32(r.b[r.at>>3]>>(7-r.at&7)) & 1
		r.at++
	}
	return v
}

func (r *bits) flag() bool { return r.read(1) == 1 }

// golomb is an unsigned Exp-Golomb code, H.264 9.1.
func (r *bits) golomb() uint32 {
	zeros := 0
	for !r.flag() {
		zeros++
		if zeros > 31 || r.past {
			r.past = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.read(zeros)
}
