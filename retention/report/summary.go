package report

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"

	"github.com/anteroom/anteroom/retention/proof"
)

// Measures of the page, in millimetres: A4.
const (
	pageWidth   = 210.0
	margin      = 18.0
	textWidth   = pageWidth - 2*margin
	lineHeight  = 5.0
	sectionGap  = 6.0
	cardHeight  = 17.0
	cardGap     = 3.0
	cellHeight  = 6.0
	cardsInLine = 4
	maxRules    = 12
)

// rgb is a colour.
type rgb [3]int

var (
	ink     = rgb{24, 28, 36}    //nolint:gochecknoglobals // a constant that Go has no word for
	faint   = rgb{98, 106, 120}  //nolint:gochecknoglobals // the same
	hair    = rgb{214, 219, 227} //nolint:gochecknoglobals // the same
	surface = rgb{246, 247, 250} //nolint:gochecknoglobals // the same
	accent  = rgb{31, 84, 168}   //nolint:gochecknoglobals // the same
	alarm   = rgb{178, 34, 34}   //nolint:gochecknoglobals // the same
)

// page draws the summary.
type page struct {
	pdf   *fpdf.Fpdf
	fonts *fonts
}

// summary is a page or two for people: what was asked, what came of it, and how to check it. It is no proof by itself.
func (d *draft) summary() ([]byte, error) {
	fonts, err := readFonts()
	if err != nil {
		return nil, err
	}
	p := &page{pdf: fpdf.New("P", "mm", "A4", ""), fonts: fonts}
	p.begin(fmt.Sprintf("Report %s, region %s", d.m.ID, d.m.Region), d.at)
	p.title(d)
	p.asked(d)
	p.cards(d.cards())
	if d.m.Kind == proof.ReportRetention {
		p.matrix(d.tally)
		p.rules(d.m.Rules)
	}
	p.log(d)
	p.outlives(d)
	p.section("What this report can't prove")
	for _, limit := range d.m.Limits {
		p.bullet(limit)
	}
	p.check(d)
	var out bytes.Buffer
	if err := p.pdf.Output(&out); err != nil {
		return nil, fmt.Errorf("write PDF: %w", err)
	}
	return out.Bytes(), nil
}

func (p *page) begin(footer string, at time.Time) {
	pdf := p.pdf
	p.fonts.addTo(pdf)
	pdf.SetMargins(margin, margin, margin)
	pdf.SetAutoPageBreak(true, margin+4)
	pdf.SetCreationDate(at)
	pdf.SetModificationDate(at)
	pdf.SetTitle("Anteroom: report", true)
	pdf.SetProducer("Anteroom", true)
	pdf.AliasNbPages("{n}")
	pdf.SetFooterFunc(func() {
		pdf.SetY(-margin + 4)
		p.font("", 7.5, faint)
		pdf.CellFormat(textWidth-30, lineHeight, p.fit(footer, textWidth-30), "", 0, "L", false, 0, "")
		pdf.CellFormat(30, lineHeight, fmt.Sprintf("%d of {n}", pdf.PageNo()), "", 0, "R", false, 0, "")
	})
	pdf.AddPage()
}

func (p *page) font(style string, size float64, c rgb) {
	family := "text"
	if style == "M" {
		family, style = "code", ""
	}
	p.pdf.SetFont(family, style, size)
	p.pdf.SetTextColor(c[0], c[1], c[2])
}

func (p *page) title(d *draft) {
	names := map[proof.ReportKind]string{
		proof.ReportRetention: "Retention report", proof.ReportNotices: "Notices report", proof.ReportChanges: "Changes report", proof.ReportHeldContent: "Held content",
		proof.ReportCalls: "Calls", proof.ReportParticipants: "Participants of calls", proof.ReportStreams: "Streams of calls",
	}
	p.font("", 9, accent)
	p.pdf.CellFormat(textWidth, lineHeight, "ANTEROOM", "", 1, "L", false, 0, "")
	p.font("B", 22, ink)
	p.pdf.CellFormat(textWidth, 11, names[d.m.Kind], "", 1, "L", false, 0, "")
	p.font("", 11, faint)
	p.pdf.CellFormat(textWidth, 7, p.fit(d.m.Query.Organization+"  ·  region "+d.m.Region, textWidth), "", 1, "L", false, 0, "")
	p.pdf.Ln(2)
	p.rule(accent)
	p.pdf.Ln(3)
}

func (p *page) rule(c rgb) {
	p.pdf.SetDrawColor(c[0], c[1], c[2])
	p.pdf.SetLineWidth(0.3)
	y := p.pdf.GetY()
	p.pdf.Line(margin, y, margin+textWidth, y)
}

func moment(t proof.Time) string { return time.Time(t).UTC().Format("2 Jan 2006 15:04:05 UTC") }

func (p *page) asked(d *draft) {
	q := &d.m.Query
	p.pair("Sent", moment(q.From)+"  to  "+moment(q.To)+" (exclusive)")
	for _, f := range []struct{ name, value string }{
		{"Classes", list(q.Classes)}, {"Meeting", q.Meeting}, {"Resource", q.Resource}, {"Reason", d.job.Request.Reason},
	} {
		if f.value != "" {
			p.pair(f.name, f.value)
		}
	}
	p.pair("Asked for by", d.m.RequestedBy)
	if a := d.job.Approval; a != nil {
		p.pair("Approved by", a.By+", "+moment(proof.Time(a.At))+": "+a.Reason)
	}
	p.pair("Made", moment(d.m.MadeAt)+" by Anteroom "+d.m.MadeBy)
	p.pair("Complete until", moment(d.m.Watermark))
	if d.m.Partial != "" {
		p.pair("Partial", d.m.Partial)
	}
}

// pair writes a name and what it is.
func (p *page) pair(name, value string) {
	const width = 32
	p.font("", 9, faint)
	p.pdf.CellFormat(width, lineHeight, name, "", 0, "L", false, 0, "")
	p.font("", 9, ink)
	p.pdf.MultiCell(textWidth-width, lineHeight, p.fonts.plain(value), "", "L", false)
}

// card is one number that people look for first.
type card struct {
	name  string
	value uint64
	// bad: it should be zero.
	bad bool
}

func (d *draft) cards() []card {
	c := &d.m.Counts
	if d.m.Kind != proof.ReportRetention {
		return []card{{"rows", uint64(d.rows), false}} //nolint:gosec // a count
	}
	return []card{
		{"things", c.Rows, false},
		{"proven gone", c.Deleted, false},
		{"kept", c.Rows - c.Deleted - c.Unknown, false},
		{"under hold", c.Held, false},
		{"overdue", c.Overdue, true},
		{"gone late", c.Late, true},
		{"unknown", c.Unknown, true},
		{"not in the log yet", c.Unlogged, false},
	}
}

func (p *page) cards(cards []card) {
	p.pdf.Ln(sectionGap - 1)
	width := (textWidth - cardGap*(cardsInLine-1)) / cardsInLine
	top := p.pdf.GetY()
	for i, c := range cards {
		x, y := margin+float64(i%cardsInLine)*(width+cardGap), top+float64(i/cardsInLine)*(cardHeight+cardGap)
		p.pdf.SetFillColor(surface[0], surface[1], surface[2])
		p.pdf.SetDrawColor(hair[0], hair[1], hair[2])
		p.pdf.SetLineWidth(0.2)
		p.pdf.Rect(x, y, width, cardHeight, "FD")
		color := ink
		if c.bad && c.value > 0 {
			color = alarm
		}
		p.pdf.SetXY(x+3, y+2.5)
		p.font("B", 15, color)
		p.pdf.CellFormat(width-6, 7, grouped(c.value), "", 2, "L", false, 0, "")
		p.font("", 8.5, faint)
		p.pdf.CellFormat(width-6, 5, c.name, "", 0, "L", false, 0, "")
	}
	lines := (len(cards) + cardsInLine - 1) / cardsInLine
	p.pdf.SetXY(margin, top+float64(lines)*(cardHeight+cardGap)-cardGap)
}

// grouped writes a number with thin gaps, as 1 000 000.
func grouped(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	var out strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteRune(' ')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func (p *page) section(name string) {
	p.pdf.Ln(sectionGap)
	if p.pdf.GetY() > 297-margin-30 {
		p.pdf.AddPage()
	}
	p.font("B", 11, ink)
	p.pdf.CellFormat(textWidth, 6.5, name, "", 1, "L", false, 0, "")
	p.pdf.Ln(0.5)
}

func (p *page) matrix(t tally) {
	p.section("By class and state")
	states := []proof.State{proof.Stored, proof.Superseded, proof.Due, proof.Hidden, proof.Purged, proof.BornExpired, proof.Unknown}
	width := (textWidth - 30) / float64(len(states))
	p.font("", 8, faint)
	p.pdf.CellFormat(30, cellHeight, "", "B", 0, "L", false, 0, "")
	for _, s := range states {
		p.pdf.CellFormat(width, cellHeight, strings.ReplaceAll(string(s), "_", " "), "B", 0, "R", false, 0, "")
	}
	p.pdf.Ln(cellHeight)
	for _, class := range proof.Classes() {
		if len(t[class]) == 0 {
			continue
		}
		p.font("", 9, ink)
		p.pdf.CellFormat(30, cellHeight, string(class), "B", 0, "L", false, 0, "")
		for _, s := range states {
			n, color := t[class][s], ink
			switch {
			case n == 0:
				color = faint
			case s == proof.Unknown:
				color = alarm
			}
			p.font("", 9, color)
			p.pdf.CellFormat(width, cellHeight, grouped(n), "B", 0, "R", false, 0, "")
		}
		p.pdf.Ln(cellHeight)
	}
	if len(t) == 0 {
		p.note("Nothing was sent in this time that is or was kept here.")
	}
}

func (p *page) rules(rules []proof.AppliedAs) {
	if len(rules) == 0 {
		return
	}
	p.section("Rules that decided")
	widths := []float64{70, 18, 58, textWidth - 146}
	p.font("", 8, faint)
	for i, name := range []string{"rule", "version", "reason", "revision"} {
		p.pdf.CellFormat(widths[i], cellHeight, name, "B", 0, "L", false, 0, "")
	}
	p.pdf.Ln(cellHeight)
	for i, r := range rules {
		if i == maxRules {
			p.note(fmt.Sprintf("and %d more, in manifest.json", len(rules)-maxRules))
			break
		}
		p.font("", 9, ink)
		for i, cell := range []string{r.ID, strconv.FormatUint(r.Version, 10), r.Reason, r.Revision} {
			p.pdf.CellFormat(widths[i], cellHeight, p.fit(cell, widths[i]-2), "B", 0, "L", false, 0, "")
		}
		p.pdf.Ln(cellHeight)
	}
}

func (p *page) note(text string) {
	p.font("", 8.5, faint)
	p.pdf.MultiCell(textWidth, lineHeight, p.fonts.plain(text), "", "L", false)
}

func (p *page) log(d *draft) {
	p.section("State of the region's ledger")
	p.pair("Log", d.m.Log.Origin)
	p.pair("Leaves", grouped(d.m.Log.Size))
	p.pair("Root", fmt.Sprintf("%x", d.m.Log.Root))
	if c := d.m.Log.Consistency; c != nil {
		p.pair("Grown from", fmt.Sprintf("the earlier report's %s leaves, root %x…: proof enclosed", grouped(c.Size), c.Root[:8]))
	} else {
		p.pair("Grown from", "no earlier report of this organisation")
	}
}

func (p *page) outlives(d *draft) {
	p.section("What outlives a purge")
	broker := "How long it keeps records is not known. They are sealed to keys that are destroyed."
	if d.m.BrokerRetentionMs >= 0 {
		kept := time.Duration(d.m.BrokerRetentionMs) * time.Millisecond
		broker = fmt.Sprintf("Records are kept for %.1f days at most, sealed to keys that are destroyed once what was sealed to them is stored.", kept.Hours()/24)
	}
	p.pair("Broker", broker)
	if d.m.BackupExpiry != nil {
		p.pair("Backups until", moment(*d.m.BackupExpiry))
	}
	p.pair("Backups", d.m.Backup)
}

func (p *page) bullet(text string) {
	p.font("", 9, ink)
	p.pdf.CellFormat(4, lineHeight, "·", "", 0, "L", false, 0, "")
	p.pdf.MultiCell(textWidth-4, lineHeight, p.fonts.plain(text), "", "L", false)
}

func (p *page) check(d *draft) {
	p.section("Check it yourself")
	p.note("This page is a summary and proves nothing by itself. The bundle that it came in does; the key must come to you by another way.")
	p.pdf.Ln(1)
	p.font("M", 8.5, ink)
	p.pdf.SetFillColor(surface[0], surface[1], surface[2])
	p.pdf.MultiCell(textWidth, 6.5, " anteroom verify BUNDLE --key KEY", "", "L", true)
	p.pdf.Ln(1.5)
	p.pair("Key to compare", d.region.Ledger.VerifierKey())
}

// fit shortens a text in its middle until it is no wider than that, in the font that is set.
func (p *page) fit(text string, width float64) string {
	text = p.fonts.plain(text)
	runes := []rune(text)
	for keep := len(runes); p.pdf.GetStringWidth(text) > width && keep > 2; keep-- {
		half := keep / 2
		text = string(runes[:half]) + "…" + string(runes[len(runes)-(keep-half):])
	}
	return text
}
