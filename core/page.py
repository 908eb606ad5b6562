"""A page that needs nothing else: one HTML file, no script but its own, nothing fetched, and its own rules forbid it both.

Names come from files and from strangers: all text is escaped here.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.25rem .6rem;border:1px solid #8886;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}div.wide{overflow-x:auto}h2{margin-top:2rem}
p.note{border-left:4px solid #D55E00;padding-left:.8rem}svg{max-width:100%;height:auto}
"""


def page(title: str, parts: Sequence[str], *, script: str = "") -> str:
    """The file: `title` is text, `parts` are HTML. Only this `script` may run, and sound only come from the page itself."""
    allowed = "default-src 'none'; style-src 'unsafe-inline'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed += f"; media-src data:; script-src 'sha256-{digest}'"
    head = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<meta http-equiv='Content-Security-Policy' content=\"{allowed}\">",
        "<meta name='viewport' content='width=device-width,initial-scale=1'>",
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
    )
    last = [f"<script>{script}</script>"] if script else []
    return "\n".join([*head, *parts, *last, "</body></html>\n"])


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table of texts and numbers."""
    top = "".join(f"<th scope='col'>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<div class='wide'><table><tr>{top}</tr>{body}</table></div>"


def paragraph(text: str, *, note: bool = False) -> str:
    """A paragraph of text; a `note` stands out."""
    return f"<p class='note'>{escape(text)}</p>" if note else f"<p>{escape(text)}</p>"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"<td class='n'>{value:.3f}</td>"
    return f"<td class='n'>{value}</td>" if isinstance(value, int) else f"<td>{escape(str(value))}</td>"
