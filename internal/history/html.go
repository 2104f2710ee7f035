package history

import (
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

// page is complete in itself: no script, no other file, no network.
const page = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title>
<meta name="viewport" content="width=device-width">
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}
table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:right;vertical-align:top}
td.t,th.t{text-align:left;overflow-wrap:anywhere}tr:nth-child(even) td{background:#f5f5f5}
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#555}
.ok{fill:#4a90c2}.wait{fill:#e0a030}.bad{fill:#c0392b}.axis{stroke:#999}
</style></head><body>
<h1>{{.Title}}</h1><p>{{.From}} to {{.To}} (UTC)</p>
<table>{{range .Rows}}<tr><td class="t">{{.Name}}</td><td>{{.Value}}</td></tr>
{{end}}</table>
{{range .Plots}}<h2>{{.Title}}</h2>{{.SVG}}
{{end}}{{range .Tables}}<h2>{{.Title}}</h2>
<table><tr><th>tries</th><th>success</th><th>deferral</th><th>failure</th><th>a try</th><th class="t">name</th></tr>
{{range .Sums}}<tr><td>{{.Tries}}</td><td>{{.Successes}}</td><td>{{.Deferrals}}</td><td>{{.Failures}}</td>
<td>{{seconds .Seconds}}</td><td class="t">{{.Name}}</td></tr>
{{end}}</table>
{{end}}{{range .Reasons}}<h2>{{.Title}}</h2>
<table><tr><th>times</th><th class="t">text</th></tr>
{{range .List}}<tr><td>{{.Count}}</td><td class="t">{{.Text}}</td></tr>
{{end}}</table>
{{end}}</body></html>
`

type htmlRow struct{ Name, Value string }

type htmlPlot struct {
	Title string
	SVG   template.HTML
}

type htmlSums struct {
	Title string
	Sums  []Sum
}

type htmlReasons struct {
	Title string
	List  []Reason
}

// WriteHTML writes the totals as one page with plots, at most top lines of each table.
func (t *Totals) WriteHTML(w io.Writer, title string, top int) error {
	tpl, err := template.New("page").Funcs(template.FuncMap{"seconds": seconds}).Parse(page)
	if err != nil {
		return err
	}
	var rows []htmlRow
	for _, r := range t.rows() {
		rows = append(rows, htmlRow{strings.Trim(r.name, " "), r.value})
	}
	return tpl.Execute(w, struct {
		Title, From, To string
		Rows            []htmlRow
		Plots           []htmlPlot
		Tables          []htmlSums
		Reasons         []htmlReasons
	}{
		title, stamp(t.First), stamp(t.Last), rows,
		[]htmlPlot{
			{"Deliveries by hour", t.plotHours()},
			{"Delays of successful deliveries", t.plotDelays()},
		},
		[]htmlSums{
			{"Busiest destinations", head(t.Hosts(), top)},
			{"Worst destinations", head(t.Worst(), top)},
			{"Busiest senders", head(t.Senders(), top)},
		},
		[]htmlReasons{
			{"Why deliveries failed", head(t.FailureReasons(), top)},
			{"Why deliveries were deferred", head(t.DeferralReasons(), top)},
			{"What servers refused", head(t.Refusals(), top)},
			{"Whom servers refused something", head(t.Refused(), top)},
		},
	})
}

const (
	plotWidth  = 800
	plotHeight = 220
	plotLeft   = 50
	plotBottom = 30
	plotTop    = 24
	maxBars    = 240
)

// A bar of a plot is a stack of counts, with a label below it.
type plotBar struct {
	label  string
	counts [3]int // success, deferral, failure
}

// kinds are the counts of a bar from the ground up: the class of their colour, and their name.
var kinds = [...]struct{ class, name string }{{"ok", "success"}, {"wait", "deferral"}, {"bad", "failure"}}

// plot draws stacked bars, and says which colour is what where there is more than one. All that it writes is
// numbers and labels of its own making.
func plot(about string, bars []plotBar) template.HTML {
	highest, stacked := 1, false
	for _, b := range bars {
		highest = max(highest, b.counts[0]+b.counts[1]+b.counts[2])
		stacked = stacked || b.counts[1]+b.counts[2] > 0
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, plotWidth, plotHeight, about)
	ground := float64(plotHeight - plotBottom)
	width := float64(plotWidth-plotLeft) / float64(max(1, len(bars)))
	scale := (ground - plotTop) / float64(highest)
	for k := 0; stacked && k < len(kinds); k++ {
		x := plotLeft + 90*k
		fmt.Fprintf(&s, `<rect class="%s" x="%d" y="2" width="10" height="10"/><text x="%d" y="11">%s</text>`,
			kinds[k].class, x, x+15, kinds[k].name)
	}
	for i, b := range bars {
		x, y := plotLeft+float64(i)*width, ground
		for k, kind := range kinds {
			h := float64(b.counts[k]) * scale
			if y -= h; h > 0 {
				fmt.Fprintf(&s, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, kind.class, x, y,
					max(0.5, width*0.9), h)
			}
		}
		if every := max(1, len(bars)/8); i%every == 0 {
			fmt.Fprintf(&s, `<text x="%.1f" y="%d">%s</text>`, x, plotHeight-12, template.HTMLEscapeString(b.label))
		}
	}
	fmt.Fprintf(&s, `<line class="axis" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>`, plotLeft, ground, plotWidth, ground)
	fmt.Fprintf(&s, `<text x="0" y="%d">%d</text><text x="0" y="%.1f">0</text></svg>`, plotTop+4, highest, ground)
	return template.HTML(s.String())
}

// plotHours draws the deliveries over time, several hours to a bar where there are many.
func (t *Totals) plotHours() template.HTML {
	hours := t.Hours()
	if len(hours) == 0 {
		return plot("deliveries by hour", nil)
	}
	first := hours[0].Start
	span := int(hours[len(hours)-1].Start.Sub(first)/time.Hour) + 1
	step := (span + maxBars - 1) / maxBars
	bars := make([]plotBar, (span+step-1)/step)
	for i := range bars {
		bars[i].label = first.Add(time.Duration(i*step) * time.Hour).Format("01-02 15:04")
	}
	for _, h := range hours {
		c := &bars[int(h.Start.Sub(first)/time.Hour)/step].counts
		c[0] += h.Successes
		c[1] += h.Deferrals
		c[2] += h.Failures
	}
	return plot("deliveries by hour", bars)
}

// plotDelays draws how many deliveries took how long.
func (t *Totals) plotDelays() template.HTML {
	var bars []plotBar
	for _, b := range t.Distribution() {
		bars = append(bars, plotBar{label: short(b.Upto), counts: [3]int{b.Count}})
	}
	return plot("delays of successful deliveries", bars)
}
