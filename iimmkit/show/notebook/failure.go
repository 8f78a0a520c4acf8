package notebook

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// escapes are terminal colours and movements.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

func plain(s string) string { return escapes.ReplaceAllString(s, "") }

// bare is what a kernel says of a program that has failed by itself; why, the
// program has written.
var bare = regexp.MustCompile(`^(exit status \d+|signal: .*)$`)

// located is how GoNB begins a part of the traceback that it could place: then
// the code around it, then the message on the last line.
var located = regexp.MustCompile(`^\s*Cell\[(\d+)\]: Line (\d+)`)

// compilerLines returns the messages of a traceback of GoNB, each with its place:
// "line 2: undefined: x".
func compilerLines(c *Cell, traceback []string) string {
	var said []string
	for _, part := range traceback {
		part = strings.TrimRight(plain(part), "\n ")
		if strings.HasPrefix(part, "# gonb_") || strings.TrimSpace(part) == "" {
			continue
		}
		if strings.HasPrefix(part, "---------------") {
			break // advice about go.work that does not apply here
		}
		if m := located.FindStringSubmatch(part); m != nil {
			message := part[strings.LastIndexByte(part, '\n')+1:]
			place := "line " + m[2]
			if c.ExecutionCount == nil || m[1] != strconv.Itoa(*c.ExecutionCount) {
				place = "In[" + m[1] + "] line " + m[2]
			}
			part = place + ": " + strings.TrimSpace(message)
		}
		said = append(said, part)
	}
	return strings.TrimSpace(strings.Join(said, "\n"))
}

// noNetwork is what the go command says of a module that is not here while
// GOPROXY=off.
var noNetwork = regexp.MustCompile(`cannot find module providing package|module lookup disabled by GOPROXY=off`)

const noNetworkHint = "\ncells do not use the network: for modules of iimm run iimm kernel install again; to let cells fetch others set IIMM_GOPROXY=https://proxy.golang.org,direct"

// failureText tells why a cell failed: the compiler's messages from the
// traceback; of a program that ended with an error what it showed and wrote
// last.
func failureText(c *Cell, reply *message) string {
	text := compilerLines(c, texts(reply.content["traceback"]))
	if text == "" {
		text = strings.TrimSpace(plain(reply.str("evalue")))
	}
	if noNetwork.MatchString(text) {
		text += noNetworkHint
	}
	if !bare.MatchString(text) {
		return text
	}
	if box := errorBox(c); box != "" {
		return box
	}
	if words := lastStderr(c); words != "" {
		return ended(text) + ": " + placed(c, words)
	}
	return ended(text)
}

// ended says of a program how it has ended: with exit status 3, by a signal.
func ended(how string) string {
	if signal, ok := strings.CutPrefix(how, "signal: "); ok {
		return "the program was ended by a signal (" + signal + ")"
	}
	return "the program ended with " + how
}

// unplaced matches a place of a stack in a program of GoNB that it has not translated.
var unplaced = regexp.MustCompile(`(?m)^([ \t]*)(/.*/gonb_\w+/main\.go):(\d+)`)

// placed translates the places of a stack that are in a cell and that GoNB has not
// translated. It looks for them in what it reads of the program at a time, and Go
// writes a place in several pieces.
func placed(c *Cell, words string) string {
	if c.ExecutionCount == nil {
		return words
	}
	return unplaced.ReplaceAllStringFunc(words, func(place string) string {
		m := unplaced.FindStringSubmatch(place)
		code, err := os.ReadFile(m[2])
		n, _ := strconv.Atoi(m[3])
		if err != nil {
			return place
		}
		line := lineOf(strings.Split(string(code), "\n"), n, strings.Split(c.Source, "\n"))
		if line == 0 {
			return place
		}
		return fmt.Sprintf("%s [[ Cell [%d] Line %d ]] %s:%s", m[1], *c.ExecutionCount, line, m[2], m[3])
	})
}

// lineOf returns which line of source, counted from 1, is line n of the code that was
// made of it: the same, with most of the same lines before it. It is 0 where none is, or
// several are.
func lineOf(code []string, n int, source []string) (line int) {
	most := 0
	for i := range source {
		same := 0
		for ; same < n && same <= i && n <= len(code); same++ {
			if strings.TrimSpace(code[n-1-same]) != strings.TrimSpace(source[i-same]) {
				break
			}
		}
		switch {
		case same > most:
			line, most = i+1, same
		case same == most:
			line = 0
		}
	}
	return line
}

var (
	// ofPanic matches how Go begins to tell that a program has failed.
	ofPanic = regexp.MustCompile(`(?m)(?:^|: )((?:panic|fatal error): .*)$`)
	// inCell matches GoNB's translation of a place in a stack.
	inCell = regexp.MustCompile(`\[\[ Cell \[(\d+)\] Line (\d+) \]\]`)
)

// summary is the essence of a failure in one line: of a panic what it says and
// the place in the cells where it was called, of several messages the first.
func summary(message string) string {
	message = strings.TrimSpace(message)
	if m := ofPanic.FindStringSubmatch(message); m != nil {
		said, _, _ := strings.Cut(m[1], " [recovered")
		if place := inCell.FindStringSubmatch(message); place != nil {
			said += " (In[" + place[1] + "] line " + place[2] + ")"
		}
		return said
	}
	lines := strings.FieldsFunc(message, func(r rune) bool { return r == '\n' })
	for _, line := range lines {
		if noNetwork.MatchString(line) {
			return strings.TrimSpace(line)
		}
	}
	if len(lines) > 1 && strings.HasPrefix(lines[0], "failed to run ") {
		lines = lines[1:] // the go command, which then says why
	}
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return strings.TrimSpace(lines[0])
	case 2:
		return strings.TrimSpace(lines[0]) + " (and 1 line more)"
	}
	return strings.TrimSpace(lines[0]) + " (and " + strconv.Itoa(len(lines)-1) + " lines more)"
}

// errorBox returns the text of the box that nb.Check shows, which its metadata
// tells from other displays.
func errorBox(c *Cell) string {
	for i := len(c.Outputs) - 1; i >= 0; i-- {
		mark, _ := c.Outputs[i].Metadata["iimm"].(map[string]any)
		if mark["error"] == true {
			s, _ := c.Outputs[i].Data.text("text/plain")
			return strings.TrimSpace(s)
		}
	}
	return ""
}

// lastStderr returns the end of what the cell wrote to its standard error,
// without the line that GoNB adds.
func lastStderr(c *Cell) string {
	const keep = 12
	for i := len(c.Outputs) - 1; i >= 0; i-- {
		o := c.Outputs[i]
		if o.Type != "stream" || o.Name != "stderr" {
			continue
		}
		var list []string
		for line := range strings.Lines(plain(o.Text)) {
			if line = strings.TrimRight(line, "\n\r "); line != "" && !bare.MatchString(line) {
				list = append(list, line)
			}
		}
		if len(list) > keep {
			list = append([]string{"..."}, list[len(list)-keep:]...)
		}
		if len(list) > 0 {
			return strings.Join(list, "\n")
		}
	}
	return ""
}
