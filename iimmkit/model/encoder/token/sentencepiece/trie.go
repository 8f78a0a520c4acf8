package sentencepiece

// prefixes finds the entries of a vocabulary that a text begins with. The
// children of a node are a chain of siblings: vocabularies have few of them but
// at the root, which is a table.
type prefixes struct {
	root  [256]int32 // node of the first byte, 0 for none
	nodes []node
}

type node struct {
	id             int32 // -1: no entry ends here
	child, sibling int32
	label          byte
}

func (p *prefixes) add(text string, id int32) {
	if len(p.nodes) == 0 {
		p.nodes = make([]node, 1) // node 0 means none
	}
	at := p.root[text[0]]
	if at == 0 {
		at = p.new(text[0], 0)
		p.root[text[0]] = at
	}
	for i := 1; i < len(text); i++ {
		next := p.find(at, text[i])
		if next == 0 {
			next = p.new(text[i], p.nodes[at].child)
			p.nodes[at].child = next
		}
		at = next
	}
	p.nodes[at].id = id
}

func (p *prefixes) new(label byte, sibling int32) int32 {
	p.nodes = append(p.nodes, node{id: -1, label: label, sibling: sibling})
	return int32(len(p.nodes) - 1)
}

func (p *prefixes) find(at int32, label byte) int32 {
	for at = p.nodes[at].child; at != 0 && p.nodes[at].label != label; at = p.nodes[at].sibling {
	}
	return at
}

// each calls f with the length and the id of every entry that text begins with,
// the shortest first.
func (p *prefixes) each(text string, f func(length int, id int32)) {
	if text == "" || len(p.nodes) == 0 {
		return
	}
	at := p.root[text[0]]
	for i := 1; at != 0; i++ {
		if id := p.nodes[at].id; id >= 0 {
			f(i, id)
		}
		if i == len(text) {
			return
		}
		at = p.find(at, text[i])
	}
}

// longest returns the length of the longest entry that text begins with, 0 for
// none.
func (p *prefixes) longest(text string) (length int) {
	p.each(text, func(n int, _ int32) { length = n })
	return length
}
