package finetune

import "math/rand/v2"

// stream deals the images 0..n-1 into batches: epoch after epoch, each in an
// order that is a function of seed and epoch alone. A batch may span two epochs,
// so every image is seen equally often whatever n and the batch size are.
type stream struct {
	n     int
	seed  uint64
	at    int // position in the epoch
	epoch uint64
	order []int
}

func newStream(n, seed int) *stream {
	s := &stream{n: n, seed: uint64(seed)}
	s.shuffle()
	return s
}

func (s *stream) shuffle() {
	s.order = rand.New(rand.NewPCG(s.seed, s.epoch)).Perm(s.n)
}

// next fills batch with the images that come next.
func (s *stream) next(batch []int) {
	for i := range batch {
		if s.at == s.n {
			s.at = 0
			s.epoch++
			s.shuffle()
		}
		batch[i] = s.order[s.at]
		s.at++
	}
}
