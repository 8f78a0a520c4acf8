package notebook

import (
	"regexp"
	"strings"
)

// escapes are terminal colours and movements.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

func plain(s string) string { return escapes.ReplaceAllString(s, "") }

// bare is what a kernel says of a program that has failed by itself; why, the
// program has written.
var bare = regexp.MustCompile(`^(exit status \d+|signal: .*)$`)

// failureText tells why a cell failed: the compiler's messages from the
// traceback; of a program that ended with an error what it showed and wrote
// last.
func failureText(c *Cell, reply *message) string {
	var said []string
	for _, line := range texts(reply.content["traceback"]) {
		said = append(said, strings.TrimRight(plain(line), "\n "))
	}
	text := strings.TrimSpace(strings.Join(said, "\n"))
	value := strings.TrimSpace(plain(reply.str("evalue")))
	if text == "" {
		text = value
	}
	if !bare.MatchString(text) {
		return text
	}
	if box := errorBox(c); box != "" {
		return box
	}
	if words := lastStderr(c); words != "" {
		return text + ": " + words
	}
	return text
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
