package checkpoint

// Same adds the rule that name is stored as the tensor source.
func (l *Layout) Same(name, source string) {
	*l = append(*l, Rule{Name: name, Sources: []string{source}})
}

// Affine adds Same for the weight and the bias of a layer.
func (l *Layout) Affine(name, source string) {
	l.Same(name+".weight", source+".weight")
	l.Same(name+".bias", source+".bias")
}

// Transposed adds the rule that the matrix name is stored as source, the other
// way around.
func (l *Layout) Transposed(name, source string) {
	*l = append(*l, Rule{Name: name, Sources: []string{source}, Transpose: true})
}

// Joined adds the rule that name is stored in equal parts along its first axis.
func (l *Layout) Joined(name string, sources ...string) {
	*l = append(*l, Rule{Name: name, Sources: sources})
}

// Led adds the rule that name is stored as source, with so many axes of length
// 1 in front.
func (l *Layout) Led(name, source string, axes int) {
	*l = append(*l, Rule{Name: name, Sources: []string{source}, Lead: axes})
}
