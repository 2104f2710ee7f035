package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
)

// Measures of a picture. Text is set in a font of unknown width: the widths below leave room.
const (
	width     = 1000
	boxX      = 20
	boxWidth  = 190
	fileX     = 250
	fileWidth = 270
	textX     = 550
	rowGap    = 26
	top       = 92
	lineStep  = 17
)

// draw returns the picture.
func (p page) draw() []byte {
	var b bytes.Buffer
	rows := make([]row, len(p.steps))
	y := top
	for i, s := range p.steps {
		rows[i] = layout(s, y)
		y += rows[i].height + rowGap
	}
	height := y
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d"
 role="img" aria-labelledby="t d">
<title id="t">%s</title>
<desc id="d">%s</desc>
<style>text{font:13px sans-serif;fill:#222}.n{font-weight:bold}.u{font-size:11px;fill:#444}
.f{font-family:monospace;font-size:12px}
.h{font-size:20px;font-weight:bold}.s{fill:#444}.c{font-size:11px;fill:#666}</style>
<rect width="%d" height="%d" fill="#fff"/>
`, width, height, width, height, html.EscapeString(p.title), html.EscapeString(p.sentence), width, height)
	label(&b, boxX, 34, "h", p.title)
	label(&b, boxX, 58, "s", p.sentence)
	label(&b, boxX, 82, "c", "program, and the user it runs as")
	label(&b, fileX, 82, "c", "touches")
	label(&b, textX, 82, "c", "what happens")
	for i, r := range rows {
		r.draw(&b)
		if i+1 < len(rows) {
			arrow(&b, boxX+boxWidth/2, r.y+r.height, rows[i+1].y)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// A row is a step with its place.
type row struct {
	step
	y, height   int
	file, words []string
}

func layout(s step, y int) row {
	r := row{step: s, y: y, file: wrap(s.touches, 34), words: wrap(s.what, 58)}
	r.height = max(44, lineStep*max(len(r.file), len(r.words))+14)
	return r
}

func (r row) draw(b *bytes.Buffer) {
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="%s" stroke="#555"/>`+"\n",
		boxX, r.y, boxWidth, r.height, colour(r.user))
	middle := r.y + r.height/2
	label(b, boxX+12, middle-3, "n", r.program)
	label(b, boxX+12, middle+13, "u", r.user)
	if r.touches != "" {
		fmt.Fprintf(b, `<path d="M%d %dH%d" stroke="#999" stroke-dasharray="3 3"/>`+"\n", boxX+boxWidth, middle, fileX)
		fmt.Fprintf(b, `<path d="M%d %dh%dl10 10v%dh-%dz" fill="#f7f7f2" stroke="#999"/>`+"\n",
			fileX, r.y, fileWidth-10, r.height-10, fileWidth)
	}
	lines(b, fileX+10, middle, "f", r.file)
	lines(b, textX, middle, "", r.words)
}

// lines writes text around a middle line.
func lines(b *bytes.Buffer, x, middle int, class string, text []string) {
	y := middle - lineStep*(len(text)-1)/2 + 4
	for i, l := range text {
		label(b, x, y+i*lineStep, class, l)
	}
}

func label(b *bytes.Buffer, x, y int, class, text string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(b, `<text x="%d" y="%d"%s>%s</text>`+"\n", x, y, class, html.EscapeString(text))
}

func arrow(b *bytes.Buffer, x, from, to int) {
	fmt.Fprintf(b, `<path d="M%d %dV%d" stroke="#555" stroke-width="1.5"/><path d="M%d %dl-5 -9h10z" fill="#555"/>`+"\n",
		x, from, to-8, x, to)
}

// colour is one for each kind of user, so that a change of uid is seen.
func colour(user string) string {
	switch user {
	case "root":
		return "#f6c9c2"
	case "qmailq":
		return "#f8e3b0"
	case "qmails":
		return "#cfe3f5"
	case "qmailr":
		return "#d9d2ee"
	case "qmaild":
		return "#d3ecd3"
	}
	return "#ececec"
}

// wrap breaks text at blanks into lines of at most most bytes, where it can.
func wrap(text string, most int) []string {
	var all []string
	line := ""
	for _, w := range strings.Split(text, " ") {
		if line != "" && len(line)+1+len(w) > most {
			all, line = append(all, line), ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(all, line)
}
