"""The review of a run as a web page: a single file without scripts or external resources."""

from __future__ import annotations

import base64
import json
from html import escape
from textwrap import shorten

import numpy as np

from reports.review_data import Review, minutes

WIDTH = 140  # characters of a line above the picture
STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0 auto; max-width: 1320px;
  padding: 1rem }
h1 { font-size: 1.5rem; margin: 0 }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem }
table { border-collapse: collapse }
td, th { padding: .15rem 1rem .15rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600; white-space: nowrap }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: .5rem }
.maps { grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)) }
figure { margin: 0 }
img { width: 100%; height: auto }
.problems { border-left: 4px solid #c2502d; padding-left: .8rem }
"""


def facts(r: Review) -> dict[str, str]:
    """Return the facts about a run and its scores, as text by title."""
    o, total = r.origin, r.config.get("decisions")
    commit, versions = str(o.get("commit", "–")), o.get("versions")
    found = {
        "state": r.state,
        "agent": str(o.get("agent", r.run.path.parent.name)),
        "seed": str(r.config.get("seed", "–")),
        "preset": str(r.config.get("preset", "–")),
        "decisions": (f"{r.decisions:,}" if r.decisions is not None else "–")
        + (f" of {total:,}" if isinstance(total, int) else ""),
        "best validation": _validation(r),
        "test": _test(r),
        "minutes": ", ".join(f"{v:.1f} {k}" for k, v in minutes(r).items()) or "–",
        "started": str(o.get("started", "–")),
        "ended": str(o.get("finished", "–")),
        "commit": commit,
        "machine": ", ".join(str(o[k]) for k in ("machine", "processor") if k in o) or "–",
    }
    if "resumed" in o:
        found["resumed"] = str(o["resumed"])
    if isinstance(versions, dict):
        found["versions"] = ", ".join(f"{k} {v}" for k, v in versions.items())
    return found


def _validation(r: Review) -> str:
    """Describe the best validation; its interval is computed from the std, because single episodes are not recorded."""
    if r.best is None:
        return "none yet"
    decisions, _, _, mean, std, laps, episodes = r.best
    half = 1.96 * std / np.sqrt(episodes)
    return (
        f"{mean:.1f} ± {half:.1f}, {laps:.0f} laps on {episodes:.0f} tracks, after"
        f" {decisions:,.0f} decisions"
    )


def _test(r: Review) -> str:
    s = r.tested
    if s is None:
        return "not driven"
    return (
        f"{s.mean:.1f} [{s.low:.1f}, {s.high:.1f}], {s.laps} laps on {s.episodes} tracks,"
        f" worst {s.min:.1f}, median {s.median:.1f}, best {s.max:.1f}"
    )


def header(r: Review) -> list[str]:
    """Return the facts as lines of text for the picture."""
    f = facts(r)
    return [
        f"{r.name}: {f['state']}, {f['decisions']} decisions, seed {f['seed']}, preset {f['preset']}",
        f"validation {f['best validation']}",
        f"test {f['test']}",
        f"started {f['started']}, commit {f['commit'][:12]}, {f['machine']}",
    ] + [f"– {shorten(problem, WIDTH)}" for problem in r.problems]


def page(r: Review, panels: dict[str, bytes], maps: list[tuple[bytes, str]], mark: str) -> str:
    """Make the page, in HTML.

    Args:
        r: The run.
        panels: Panels by title, as SVG.
        maps: Maps of test drives, as PNG, with their captions.
        mark: Text in the file that names the command.
    """
    rows = "\n".join(_row(k, v) for k, v in facts(r).items())
    settings = "\n".join(_row(k, json.dumps(v)) for k, v in r.config.items())
    problems = "".join(f"<li>{escape(p)}</li>" for p in r.problems)
    pictures = "\n".join(_picture("svg+xml", svg, title) for title, svg in panels.items())
    driven = "\n".join(_picture("png", png, text, text) for png, text in maps)
    title = escape(r.name)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta name="generator" content="{escape(mark)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<link rel="icon" href="data:,"><title>{title}</title><style>{STYLE}</style></head><body>',
            f"<h1>{title}</h1>",
            f"<table>{rows}</table>",
            f'<ul class="problems">{problems}</ul>' if problems else "",
            f'<h2>Curves</h2><div class="pictures">{pictures}</div>',
            f'<h2>Test drives</h2><div class="pictures maps">{driven}</div>' if maps else "",
            f"<h2>Settings</h2><details><summary>All of them</summary><table>{settings}</table>",
            "</details></body></html>\n",
        ]
    )


def _row(name: str, value: str) -> str:
    return f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"


def _picture(kind: str, data: bytes, text: str, caption: str = "") -> str:
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{source}" alt="{escape(text)}">{below}</figure>'
