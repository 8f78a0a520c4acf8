// Package nb is what a notebook cell calls to show things: tables, markdown,
// charts, pictures and progress, and to read its parameters. In a plain Go
// program the same calls print text.
//
// What is shown appears in the order of the calls, between what is printed,
// and is never lost silently: where it cannot be delivered the cell fails.
//
// Every cell is a program of its own, linked each time it runs, so this package
// imports little.
package nb

import (
	"encoding/base64"
	"encoding/gob"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
)

func init() {
	// GoNB's kernel registers these, its client package does not: without them
	// a JSON value is lost on the way.
	gob.Register(map[string]any{})
	gob.Register([]any{})
}

// The MIME types that are sent.
const (
	mimePlain    = "text/plain"
	mimeHTML     = "text/html"
	mimeMarkdown = "text/markdown"
	mimeSVG      = "image/svg+xml"
	mimePNG      = "image/png"
	mimeVegaLite = "application/vnd.vegalite.v5+json"
)

// RenderPNG, when set, adds a PNG to each chart, for viewers that show neither
// Vega-Lite nor SVG (voila). It is nil by default because rendering PNG is
// heavy to link: import package show/nb/withpng for it.
var RenderPNG func(chart.Chart) ([]byte, error)

// Where a plain program writes, and how one ends; tests replace them.
var (
	stdout = func() io.Writer { return os.Stdout }
	stderr = func() io.Writer { return os.Stderr }
	exit   = os.Exit
)

// Markdown shows text with markdown markup; formulas between $ and $ are set.
func Markdown(text string) {
	show(display{data: map[string]any{mimeMarkdown: text, mimePlain: text}})
}

// Chart shows a chart: interactive where Vega-Lite is (JupyterLab), else as a
// picture.
func Chart(c chart.Chart) {
	data, err := chartData(c)
	Check(err)
	show(display{data: data})
}

func chartData(c chart.Chart) (map[string]any, error) {
	svg, err := c.SVG()
	if err != nil {
		return nil, err
	}
	spec, err := c.VegaLite()
	if err != nil {
		return nil, err
	}
	// No text/html: viewers would prefer it to Vega-Lite.
	data := map[string]any{mimeSVG: string(svg), mimePlain: c.Alt()}
	switch v, err := sendable(spec); {
	case err == nil:
		data[mimeVegaLite] = v
	case !errors.Is(err, errEmptyList):
		return nil, err
	}
	if RenderPNG != nil {
		png, err := RenderPNG(c)
		if err != nil {
			return nil, err
		}
		data[mimePNG] = base64.StdEncoding.EncodeToString(png)
	}
	return data, nil
}

// SVG shows an SVG document; alt says in words what it shows. It is sent as an
// image, which viewers also show in notebooks that they do not trust.
func SVG(svg []byte, alt string) {
	img := fmt.Sprintf(`<img alt="%s" src="data:image/svg+xml;base64,%s">`,
		html.EscapeString(alt), base64.StdEncoding.EncodeToString(svg))
	show(display{data: map[string]any{mimeHTML: img, mimePlain: alt}})
}

// PNG shows a PNG image; alt says in words what it shows.
func PNG(png []byte, alt string) {
	show(display{data: map[string]any{mimePNG: base64.StdEncoding.EncodeToString(png), mimePlain: alt}})
}

// display is one thing to show. With an id it replaces what was shown under it.
type display struct {
	data, metadata map[string]any
	id             string
}

var showing sync.Mutex

// show delivers a display, or ends the program.
func show(d display) {
	showing.Lock()
	defer showing.Unlock()
	if !gonbui.IsNotebook {
		fmt.Fprintln(stdout(), d.data[mimePlain])
		return
	}
	if err := deliver(d); err != nil {
		fmt.Fprintf(stderr(), "%v\nnb: this could not be shown: %v\n", d.data[mimePlain], err)
		exit(1)
	}
}

// deliver sends a display between two synchronisations. GoNB takes displays from
// one pipe and printed text from another: without the first, text printed
// before may come after; without the second, text printed after may come
// before, and the last display is lost when the program ends.
func deliver(d display) error {
	if err := gonbui.Open(); err != nil { // Sync would wait for ever.
		return err
	}
	if err := synchronise(); err != nil {
		return err
	}
	send(d)
	return synchronise()
}

func send(d display) {
	message := &protocol.DisplayData{Data: map[protocol.MIMEType]any{}, Metadata: d.metadata, DisplayID: d.id}
	for mime, v := range d.data {
		message.Data[protocol.MIMEType(mime)] = v
	}
	gonbui.SendData(message)
}

// synchronise waits until the kernel has taken what was printed and displayed.
func synchronise() error {
	drain()
	done := make(chan struct{})
	go func() {
		gonbui.Sync()
		close(done)
	}()
	const patience = 30 * time.Second
	select {
	case <-done:
		return gonbui.Error()
	case <-time.After(patience):
		if err := gonbui.Error(); err != nil {
			return err
		}
		return fmt.Errorf("the kernel did not answer within %v", patience)
	}
}
