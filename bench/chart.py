# SPDX-License-Identifier: Apache-2.0
"""The chart: one block for each kind of work, one bar for each system.

Every block has a scale of its own, because the rows differ by a factor of a
thousand; within a block lengths compare. The daemon's bars are blue, with the
share of its nats-server in light blue, everybody else's are grey.
"""

from xml.sax.saxutils import escape

import report

WIDTH = 960
LEFT = 330  # where bars begin
BAR_MAX = 400
BAR = 13
STEP = 17
GAP = 13
OWN, SHARE, OTHER, TEXT, FAINT = ("#1f5fa8", "#a9c8ea", "#b4b4ae", "#222222",
                                  "#6a6a66")


def text(x, y, words, size=12, fill=TEXT, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" '
            f'text-anchor="{anchor}" font-weight="{weight}">{escape(words)}'
            '</text>')


def bar(x, y, width, fill):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" '
            f'height="{BAR}" fill="{fill}"/>')


def value_text(parts, unit):
    values = [report.number(max(v, 0)) for v in parts]
    if len(parts) == 1:
        return f"{values[0]} {unit}"
    return (f"{' + '.join(values)} = {report.number(max(sum(parts), 0))} "
            f"{unit}")


class Canvas:
    """Lines of SVG and how far down they reach."""

    def __init__(self):
        self.y = 20
        self.lines = []

    def heading(self, words, remark=None):
        self.y += 14
        self.lines.append(text(20, self.y, words, 15, weight="bold"))
        if remark:
            self.y += 17
            self.lines.append(text(20, self.y, remark, 12, FAINT))
        self.y += 14

    def block(self, title, bars, unit):
        """`bars` are (label, parts, own?); the longest takes the width."""
        longest = max(max(sum(parts), 0) for _, parts, _ in bars) or 1
        self.lines.append(text(20, self.y + BAR - 2, title))
        for label, parts, own in bars:
            x = LEFT
            fills = (OWN, SHARE) if own else (OTHER, OTHER)
            for part, fill in zip(parts, fills):
                width = BAR_MAX * max(part, 0) / longest
                self.lines.append(bar(x, self.y, width, fill))
                x += max(width, 1)
            self.lines.append(text(
                x + 6, self.y + BAR - 2,
                f"{label}  {value_text(parts, unit)}", 11,
                TEXT if own else FAINT))
            self.y += STEP
        self.y += GAP

    def svg(self):
        height = self.y + 10
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
            f'height="{height}" viewBox="0 0 {WIDTH} {height}" '
            'font-family="sans-serif">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            *self.lines, "</svg>", ""])


def bars_of(table, row, figure):
    """The bars of a row; `figure` takes a run to {process: value}."""
    return [(label, list(figure(cell.median).values()),
             label.startswith("mqtt-natsd"))
            for label, cell in table.cells_of(row)]


def draw_rows(canvas, table, rows, figure, unit):
    for row in rows:
        bars = bars_of(table, row, figure)
        if bars:
            canvas.block(row.title, bars, unit)


def draw(table):
    """The whole chart as text."""
    canvas = Canvas()
    canvas.heading("CPU per delivered message",
                   "Shorter is better; every block has its own scale. "
                   "Blue: mqtt-natsd, light blue: the nats-server beside it.")
    draw_rows(canvas, table, table.section("cpu"),
              lambda r: r["cpu_us"], "µs")
    canvas.heading("Latency, half of the messages are faster")
    draw_rows(canvas, table, table.section("latency"),
              lambda r: {"p50": r["latency_us"]["p50"]}, "µs")
    canvas.heading("Latency, 99 of 100 messages are faster")
    draw_rows(canvas, table, table.section("latency"),
              lambda r: {"p99": r["latency_us"]["p99"]}, "µs")
    canvas.heading("Memory for one")
    draw_rows(canvas, table, table.section("memory"),
              lambda r: r["bytes"], "bytes")
    canvas.heading("CPU for one")
    draw_rows(canvas, table, table.section("memory"),
              lambda r: r["cpu_us"], "µs")
    return canvas.svg()
