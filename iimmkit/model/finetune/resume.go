package finetune

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"time"

	"github.com/iimmkit/iimm/iimmkit/core/backend"
	"github.com/iimmkit/iimm/iimmkit/file/tensorfile"
)

// resumePoint is what a resume file says besides weights and optimiser state.
type resumePoint struct {
	Run   string `json:"run"` // hash of all that determines the run
	Steps int    `json:"steps"`
	progress
}

// A run's state is written to its file at most every saveEvery, and so seldom
// that writing takes no more than one part in saveShare of the time.
const (
	saveEvery = 20 * time.Second
	saveShare = 20
)

// resume brings the run at the learning rate of an index to where its file
// says it was, and returns what is called after each step to keep that file.
func (t *descent) resume(job Job, index int, b *batches, r *outcome) (save func(done bool) error, err error) {
	if job.Resume == "" {
		return func(bool) error { return nil }, nil
	}
	path := resumePath(job, index)
	run, err := t.identity(job, r.rate, b)
	if err != nil {
		return nil, err
	}
	if err := t.load(path, run, r); err != nil {
		return nil, err
	}
	last, pause, saved := time.Now(), saveEvery, false
	return func(done bool) error {
		if time.Since(last) < pause && !t.always && !(done && saved) {
			return nil
		}
		start := time.Now()
		err := t.store(path, run, r)
		last, saved = time.Now(), true
		pause = max(saveEvery, saveShare*last.Sub(start))
		return err
	}, nil
}

// Finished removes the files of a job whose outcome is kept.
func Finished(job Job) {
	if job.Resume == "" {
		return
	}
	_ = os.Remove(job.Resume) // one that is not there, or stays, does no harm: it is of this run alone
	for i := 1; os.Remove(resumePath(job, i)) == nil; i++ {
	}
}

// resumePath is the file of the run at the learning rate of an index.
func resumePath(job Job, index int) string {
	if index == 0 {
		return job.Resume
	}
	return fmt.Sprintf("%s.%d", job.Resume, index)
}

// identity hashes all that determines the run at one learning rate.
func (t *descent) identity(job Job, rate float64, b *batches) (string, error) {
	if job.Run != "" {
		return fmt.Sprintf("%s %g", job.Run, rate), nil
	}
	model, err := t.e.Hash()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = json.NewEncoder(h).Encode([]any{model, backend.Name(t.e.Backend()), t.method.Name, t.method.Settings(t.o), job.Seed, rate, b.labels, b.tokens})
	if err != nil {
		return "", err
	}
	buffer := make([]byte, 0, 1<<16)
	for i, v := range b.rows {
		buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(v))
		if len(buffer) == cap(buffer) || i == len(b.rows)-1 {
			h.Write(buffer)
			buffer = buffer[:0]
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

const bestPrefix = "best"

func (t *descent) store(path, run string, r *outcome) error {
	meta, err := json.Marshal(resumePoint{run, t.step.Steps(), r.progress})
	if err != nil {
		return err
	}
	list, err := t.step.State()
	if err != nil {
		return err
	}
	for i, w := range r.weights {
		list = append(list, tensorfile.FromFloat32(bestPrefix+t.vars[i].Path(), t.vars[i].Shape().Dimensions, w))
	}
	return tensorfile.WriteSafetensors(path, list, map[string]string{"resume": string(meta)})
}

// load does nothing where there is no file, or one of another run.
func (t *descent) load(path, run string, r *outcome) error {
	f, err := tensorfile.OpenSafetensors(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (remove it to start from the beginning)", err)
	}
	defer f.Close()
	var p resumePoint
	if err := json.Unmarshal([]byte(f.Metadata()["resume"]), &p); err != nil {
		return fmt.Errorf("%s is not a resume file: %w (remove it to start from the beginning)", path, err)
	}
	if p.Run != run {
		return nil
	}
	if err := t.step.SetState(path, f, p.Steps); err != nil {
		return err
	}
	r.progress = p.progress
	if len(p.Checks) == 0 {
		return nil
	}
	r.weights = nil
	for _, v := range t.vars {
		x, err := f.Tensor(bestPrefix + v.Path())
		if err != nil {
			return err
		}
		values, err := x.Float32s()
		if err != nil || len(values) != v.Shape().Size() {
			return fmt.Errorf("%s: tensor %s does not fit (%v; remove the file to start from the beginning)", path, bestPrefix+v.Path(), err)
		}
		r.weights = append(r.weights, append([]float32(nil), values...))
	}
	return nil
}
