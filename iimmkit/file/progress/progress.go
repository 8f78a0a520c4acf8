// Package progress tells people how far a long job is: a bar with rate and
// time left on a terminal, plain lines in a log, nothing where nobody looks.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Reporter starts a named piece of work of a known number of units.
// Implementations: Discard, To, and the notebook's own in show/nb.
type Reporter interface {
	Start(title string, total int) Bar
}

// Bar is one piece of work. Its methods may be called from several goroutines.
type Bar interface {
	Add(n int)
	Note(text string) // what is being done now, shown at the end of the bar
	Done()
}

// Say tells what is no piece of work, such as how long the work will take, in a
// line of its own.
func Say(r Reporter, text string) {
	if s, ok := r.(interface{ Say(text string) }); ok {
		s.Say(text)
		return
	}
	r.Start(text, 0).Done()
}

// Expect tells a bar how long the rest of its work will take, where that is
// known better than from its rate so far. Bars that cannot use it do not.
func Expect(b Bar, left time.Duration) {
	if e, ok := b.(interface{ Expect(left time.Duration) }); ok {
		e.Expect(left)
	}
}

// Discard reports nothing.
var Discard Reporter = discard{}

type discard struct{}

func (discard) Start(string, int) Bar { return discard{} }
func (discard) Add(int)               {}
func (discard) Note(string)           {}
func (discard) Done()                 {}

// To reports to w: redrawing one line when w is a terminal, else a plain line
// at the start of a job, every 15 seconds, and at its end.
func To(w io.Writer) Reporter {
	f, ok := w.(*os.File)
	tty := ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	return &writer{w: w, tty: tty}
}

type writer struct {
	mu  sync.Mutex
	w   io.Writer
	tty bool
}

func (r *writer) Say(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tty {
		text = "\r\x1b[K" + text // the bar below is drawn again soon
	}
	fmt.Fprintln(r.w, text)
}

func (r *writer) Start(title string, total int) Bar {
	b := &bar{r: r, title: title, total: total, start: time.Now()}
	b.draw(true)
	return b
}

type bar struct {
	r           *writer
	title, note string
	total, n    int
	start, last time.Time
	end         time.Time // as expected; zero: to be had from the rate
	finished    bool
}

func (b *bar) Add(n int) {
	b.r.mu.Lock()
	b.n += n
	b.r.mu.Unlock()
	b.draw(false)
}

func (b *bar) Note(text string) {
	b.r.mu.Lock()
	b.note = text
	b.r.mu.Unlock()
	b.draw(false)
}

func (b *bar) Expect(left time.Duration) {
	b.r.mu.Lock()
	b.end = time.Now().Add(left)
	b.r.mu.Unlock()
	b.draw(false)
}

func (b *bar) Done() {
	b.r.mu.Lock()
	done := b.finished
	b.finished = true
	b.r.mu.Unlock()
	if !done {
		b.draw(true)
	}
}

func (b *bar) draw(force bool) {
	b.r.mu.Lock()
	defer b.r.mu.Unlock()
	every := 15 * time.Second
	if b.r.tty {
		every = 100 * time.Millisecond
	}
	now := time.Now()
	if !force && now.Sub(b.last) < every {
		return
	}
	b.last = now
	left := ByRate
	if !b.end.IsZero() {
		left = max(0, b.end.Sub(now))
	}
	line := Line(b.title, b.note, b.n, b.total, now.Sub(b.start), left, b.finished)
	switch {
	case !b.r.tty:
		fmt.Fprintln(b.r.w, line)
	case b.finished:
		fmt.Fprintf(b.r.w, "\r\x1b[K%s\n", line)
	default:
		fmt.Fprintf(b.r.w, "\r\x1b[K%s", line)
	}
}

// ByRate stands for a time left that is to be had from the rate so far.
const ByRate time.Duration = -1

// Line is the text of a bar: title, bar, counts, rate, time left, note.
func Line(title, note string, n, total int, elapsed, left time.Duration, finished bool) string {
	var s strings.Builder
	s.WriteString(title)
	if total > 0 {
		const width = 20
		full := min(width, n*width/total)
		fmt.Fprintf(&s, " [%s%s] %d/%d", strings.Repeat("=", full), strings.Repeat(" ", width-full), n, total)
	} else if n > 0 {
		fmt.Fprintf(&s, " %d", n)
	}
	before := "  "
	if rate := float64(n) / elapsed.Seconds(); n > 0 && elapsed > 0 {
		fmt.Fprintf(&s, "  %s", formatRate(rate))
		before = ", "
		if left == ByRate && total > n {
			left = time.Duration(float64(total-n) / rate * float64(time.Second))
		}
	}
	if !finished && left != ByRate {
		s.WriteString(before + FormatDuration(left) + " left")
	}
	if finished {
		fmt.Fprintf(&s, ", took %s", FormatDuration(elapsed))
	} else if note != "" {
		s.WriteString("  " + note)
	}
	return s.String()
}

func formatRate(r float64) string {
	switch {
	case r >= 10:
		return fmt.Sprintf("%.0f/s", r)
	case r >= 0.5:
		return fmt.Sprintf("%.1f/s", r)
	default:
		return fmt.Sprintf("%.1f s each", 1/r)
	}
}

// FormatDuration writes a duration as people read it: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min.
func FormatDuration(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 10:
		return fmt.Sprintf("%.1f s", s)
	case s < 60:
		return fmt.Sprintf("%.0f s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", int(s)/60, int(s)%60)
	default:
		return fmt.Sprintf("%d h %d min", int(s)/3600, int(s)%3600/60)
	}
}
