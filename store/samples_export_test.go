package store

// InOrder are the origins of rows in the order in which they are handed over.
func (r *SampleRows) InOrder() []Origin {
	var out []Origin
	for _, row := range r.sorted() {
		out = append(out, r.origin(int(row)))
	}
	return out
}
