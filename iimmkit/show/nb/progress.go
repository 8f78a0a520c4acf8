package nb

import (
	"fmt"
	"html"
	"strings"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/iimmkit/iimm/iimmkit/file/progress"
)

func inNotebook() bool { return gonbui.IsNotebook }

// Reporter returns what library functions report their progress to: bars that
// are redrawn in place below the cell.
func Reporter() progress.Reporter {
	if !inNotebook() {
		return progress.To(stderr())
	}
	return reporter{}
}

// Progress starts one bar; total 0 means that the amount of work is not known.
func Progress(title string, total int) progress.Bar { return Reporter().Start(title, total) }

type reporter struct{}

// Say implements what progress.Say looks for: a line of small print.
func (reporter) Say(text string) { tell(text) }

func (reporter) Start(title string, total int) progress.Bar {
	b := &bar{title: title, total: total, start: time.Now(), id: "iimm-" + gonbui.UniqueId()}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.draw(true)
	return b
}

// bar is drawn anew at most every redraw, under one display id.
type bar struct {
	mu          sync.Mutex
	title, note string
	total, n    int
	start, last time.Time
	end         time.Time // as expected; zero: to be had from the rate
	finished    bool
	id          string
}

const redraw = 250 * time.Millisecond

func (b *bar) Add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n += n
	b.draw(false)
}

func (b *bar) Note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note = text
	b.draw(false)
}

// Expect implements what progress.Expect looks for.
func (b *bar) Expect(left time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = time.Now().Add(left)
	b.draw(false)
}

func (b *bar) Done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.finished {
		b.finished = true
		b.draw(true)
	}
}

func (b *bar) draw(force bool) {
	now := time.Now()
	if !force && (b.finished || now.Sub(b.last) < redraw) {
		return
	}
	b.last = now
	show(display{id: b.id, data: b.data(now.Sub(b.start))})
}

func (b *bar) data(elapsed time.Duration) map[string]any {
	left := progress.ByRate
	if !b.end.IsZero() {
		left = max(0, b.end.Sub(b.start)-elapsed)
	}
	text := progress.Line(b.title, b.note, b.n, b.total, elapsed, left, b.finished)
	markup := "<code>" + html.EscapeString(text) + "</code>"
	if b.total > 0 {
		// The viewer draws the bar, in place of the one in the text.
		words := text
		if from, to := strings.Index(text, " ["), strings.Index(text, "] "); from >= len(b.title) && to > from {
			words = text[:from] + text[to+1:]
		}
		markup = fmt.Sprintf(`<progress max="%d" value="%d"></progress> <code>%s</code>`,
			b.total, min(b.n, b.total), html.EscapeString(words))
	}
	return map[string]any{mimeHTML: "<div>" + markup + "</div>", mimePlain: text}
}
