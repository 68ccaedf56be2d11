"""Figures for people: lines as they come in, and a plot of what share of each bar was reached."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

MAX_MICROSECONDS = 40.0  # to check and prepare a typical statement
MAX_CLASS_SECONDS = 60.0  # from the click of 500 learners to the last one's initialized
MAX_PAGE = 300.0  # milliseconds that 95 of 100 visits of a page of the console take at most
MAX_MEMORY = 150.0  # MiB resident in a worker under load

Figures = Mapping[str, Any]
# One bar: what, what was reached in words, how much of what is asked for (1.0 is just enough).
Mark = tuple[str, str, float]


def marks(figures: Figures) -> Iterator[Mark]:
    """Everything that a bar is set for."""
    if rules := figures.get("rules"):
        micros = statistics.median(rules["validate_prepare"])
        yield (
            "check and prepare",
            f"{micros:.1f} µs (at most {MAX_MICROSECONDS:.0f})",
            MAX_MICROSECONDS / micros,
        )
    for contest in figures["contests"]:
        for ceiling in contest["ceilings"]:
            if (bar := ceiling["bar"]) is not None:
                reached = f"{ceiling['ratio']:.2f} × {ceiling['name']} (at least {bar:g})"
                yield contest["title"], reached, ceiling["ratio"] / bar
    if hooks := figures.get("webhooks"):
        reached = f"{hooks['ratio']:.2f} × POST one (at least {hooks['bar']:g})"
        yield "webhook to stored statement", reached, hooks["ratio"] / hooks["bar"]
    if lms := figures.get("cmi5"):
        seconds = lms["class"]["seconds"]
        yield (
            f"class of {lms['learners']}",
            f"{seconds:.0f} s (at most {MAX_CLASS_SECONDS:.0f})",
            MAX_CLASS_SECONDS / seconds,
        )
    if console := figures.get("console"):
        slowest = max(page["p95"] for page in console["pages"].values())
        yield "slowest page, p95", f"{slowest:.0f} ms (at most {MAX_PAGE:.0f})", MAX_PAGE / slowest
    for phase, memory in figures["memory"].items():
        if memory is not None:
            reached = f"{memory:.0f} MiB (at most {MAX_MEMORY:.0f})"
            yield f"memory, {phase}", reached, MAX_MEMORY / memory


def missed(figures: Figures) -> list[str]:
    """What did not reach its bar."""
    return [what for what, _, share in marks(figures) if share < 1]


def heading(figures: Figures) -> None:
    load = figures["load_before"]
    busy = "" if load is None else f", load average before: {load:.1f}"
    print(f"{figures['machine']}{busy}; reads on {figures['statements']} statements")


def show_rules(figures: Figures) -> None:
    for name, values in figures["rules"].items():
        print(f"{name.replace('_', ' and ')}: {statistics.median(values):.1f} µs a statement")


def show_contest(contest: Figures) -> None:
    """Rates, latencies, CPU and ratios of one contest."""
    print(f"\n{contest['title']}  ({contest['unit']}/s)")
    for who in (contest["gateway"], *contest["ceilings"]):
        cpu = f"  CPU µs: own {who['cpu']:6.0f}, mongod {who['database_cpu']:6.0f}"
        print(
            f"  {who['name']:<14}{who['rate']:9.0f}/s  p50 {who['p50']:7.1f}  p99 {who['p99']:7.1f} ms{cpu}"
        )
    for ceiling in contest["ceilings"]:
        low, high, bar = min(ceiling["ratios"]), max(ceiling["ratios"]), ceiling["bar"]
        verdict = "" if bar is None else f"  bar {bar:g}: {'met' if ceiling['ratio'] >= bar else 'MISSED'}"
        print(f"  = {ceiling['ratio']:.2f} × {ceiling['name']} ({low:.2f}–{high:.2f}){verdict}")


def show_webhooks(hooks: Figures) -> None:
    """Rates, latencies and the ratio to posting."""
    low, high = min(hooks["ratios"]), max(hooks["ratios"])
    print(
        f"\nwebhook to stored statement, 64 connections\n  acknowledged {hooks['acknowledged']:9.0f}/s  "
        f"p50 {hooks['p50']:7.1f}  p99 {hooks['p99']:7.1f} ms\n  stored       {hooks['stored']:9.0f}/s  "
        f"CPU µs: own {hooks['cpu']:6.0f}, mongod {hooks['database_cpu']:6.0f}\n"
        f"  = {hooks['ratio']:.2f} × POST one, {hooks['posted']:.0f}/s ({low:.2f}–{high:.2f})  "
        f"bar {hooks['bar']:g}: {'met' if hooks['ratio'] >= hooks['bar'] else 'MISSED'}"
    )


def show_cmi5(lms: Figures) -> None:
    """What takes how long in a large course, among many registrations, and for a class."""
    names = {
        "launch_large": f"launch in a course of {lms['aus']} AUs, all but one met",
        "progress_large": "its progress tree",
        "launch_when_empty": "launch with few registrations",
        "launch_when_full": f"launch with {lms['registrations']} registrations",
        "list_all": "newest registrations",
        "list_course": "newest registrations of a course",
        "list_learner": "registrations of a learner",
        "list_open_sessions": "open sessions",
    }
    print(f"\nimport of {lms['aus']} AUs: {lms['import']:.0f} ms")
    print(f"the statement that satisfies its last block and the course: {lms['satisfy_large']:.0f} ms")
    for key, name in names.items():
        print(f"{name}: {lms[key]['median']:.1f} ms, at worst {lms[key]['worst']:.1f} ms")
    whole = lms["class"]
    print(
        f"a class of {lms['learners']} from the click to initialized: {whole['seconds']:.1f} s for all, "
        f"{whole['median']:.1f} s for one, at worst {whole['worst']:.1f} s"
    )


def show_console(console: Figures) -> None:
    """How long each page of the console takes."""
    print(
        f"\nconsole on {console['statements']} statements, counted for reports in {console['counted']:.0f} s"
    )
    for name, page in sorted(console["pages"].items(), key=lambda item: -item[1]["p95"]):
        mark = "" if page["p95"] <= MAX_PAGE else f"  MISSED (bar {MAX_PAGE:.0f})"
        print(f"  {name:40} p50 {page['median']:7.1f}  p95 {page['p95']:7.1f} ms{mark}")


def show_peer(peer: Figures) -> None:
    print(
        f"{peer['peer']}: {peer['name']} {peer['rate']:.0f} {peer['unit']}/s, "
        f"p50 {peer['p50']:.1f}, p99 {peer['p99']:.1f} ms"
    )


def show_memory(figures: Figures) -> None:
    for phase, memory in figures["memory"].items():
        if memory is not None:
            print(f"\ngateway's peak memory, {phase}: {memory:.0f} MiB (bar {MAX_MEMORY:.0f})")


_ROW, _LABELS, _SCALE, _WIDTH = 34, 330, 190, 960


def plot(figures: Figures) -> str:
    """An SVG of bars; the line is what is asked for."""
    rows = list(marks(figures))
    height = _ROW * len(rows) + 60
    line = _LABELS + _SCALE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" fill="#444">{escape(figures["machine"])}; the line is what is asked for</text>',
    ]
    for number, (what, reached, share) in enumerate(rows):
        top = 40 + number * _ROW
        width = max(2, round(min(share, 2.2) * _SCALE))
        colour = "#2f7d4f" if share >= 1 else "#b3472f"
        parts += [
            f'<text x="{_LABELS - 10}" y="{top + 17}" text-anchor="end" fill="#222222">{escape(what)}</text>',
            f'<rect x="{_LABELS}" y="{top + 3}" width="{width}" height="20" rx="2" fill="{colour}"/>',
            f'<text x="{_LABELS + width + 8}" y="{top + 17}" fill="#222222">{escape(reached)}</text>',
        ]
    parts.append(
        f'<line x1="{line}" y1="34" x2="{line}" y2="{height - 18}" stroke="#222222" stroke-dasharray="4 3"/>'
    )
    return "\n".join([*parts, "</svg>", ""])
