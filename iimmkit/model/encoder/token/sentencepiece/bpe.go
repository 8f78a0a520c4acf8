package sentencepiece

import "container/heap"

// mergePairs merges neighbours into the piece of the highest score, the
// leftmost first, until none is left.
func (m *Model) mergePairs(text string) []segment {
	type symbol struct {
		start, end int // of text; end == start: merged away
		prev, next int
		frozen     bool
	}
	var symbols []symbol
	for at := 0; at < len(text); {
		n := m.user.longest(text[at:])
		frozen := n > 0
		if !frozen {
			n = charLen(text[at:])
		}
		i := len(symbols)
		symbols = append(symbols, symbol{start: at, end: at + n, prev: i - 1, next: i + 1, frozen: frozen})
		at += n
	}
	if len(symbols) == 0 {
		return nil
	}
	symbols[len(symbols)-1].next = -1

	agenda := &pairs{}
	// halves are what an unused piece was merged from: it is taken apart again.
	halves := map[string]int{}
	propose := func(left, right int) {
		if left < 0 || right < 0 || symbols[left].frozen || symbols[right].frozen {
			return
		}
		l, r := symbols[left], symbols[right]
		piece := text[l.start:r.end]
		id, ok := m.ids[piece]
		if !ok {
			return
		}
		heap.Push(agenda, pair{left: left, right: right, score: m.Pieces[id].Score, size: len(piece)})
		if m.Pieces[id].Kind == Unused {
			halves[piece] = l.end - l.start
		}
	}
	for i := 1; i < len(symbols); i++ {
		propose(i-1, i)
	}
	for agenda.Len() > 0 {
		top := heap.Pop(agenda).(pair)
		l, r := &symbols[top.left], &symbols[top.right]
		if l.start == l.end || r.start == r.end || r.end-l.start != top.size {
			continue // one of them was merged meanwhile
		}
		l.end, r.start = r.end, r.end
		l.next = r.next
		if r.next >= 0 {
			symbols[r.next].prev = top.left
		}
		propose(l.prev, top.left)
		propose(top.left, l.next)
	}

	var segments []segment
	var take func(piece string)
	take = func(piece string) {
		id, ok := m.ID(piece)
		if !ok {
			id = m.unknown
		}
		if n, split := halves[piece]; split && ok && m.Pieces[id].Kind == Unused {
			take(piece[:n])
			take(piece[n:])
			return
		}
		segments = append(segments, segment{piece, id})
	}
	for i := 0; i >= 0; i = symbols[i].next {
		take(text[symbols[i].start:symbols[i].end])
	}
	return segments
}

// pair is a possible merge of two neighbouring symbols into a piece of size bytes.
type pair struct {
	left, right, size int
	score             float32
}

type pairs []pair

func (p pairs) Len() int { return len(p) }
func (p pairs) Less(i, j int) bool {
	return p[i].score > p[j].score || p[i].score == p[j].score && p[i].left < p[j].left
}
func (p pairs) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *pairs) Push(x any)   { *p = append(*p, x.(pair)) }
func (p *pairs) Pop() any {
	old := *p
	x := old[len(old)-1]
	*p = old[:len(old)-1]
	return x
}
