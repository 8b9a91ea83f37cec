"""Styles: colours with enough contrast in both themes, the log, and the side-by-side differences."""

from __future__ import annotations

from functools import cache

# Contrast with white of at least 4.5:1, as WCAG 2.2 (1.4.3, level AA) requires.
COLOURS = {
    "primary": "#1d4f91",
    "secondary": "#40566f",
    "accent": "#7a3e9d",
    "positive": "#1b6e3c",
    "negative": "#b3261e",
    "warning": "#8a5300",
    "info": "#1d4f91",
    "dark": "#1b1f24",
}

# Line colours that are distinguishable with colour blindness (Okabe and Ito, 2008).
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d00", "#7b6fd0")

# The 16 terminal colours, with a contrast of at least 4.5:1 on the log's background.
_LOG_BACKGROUND = "#14181d"
_TERMINAL = (
    *("#a3abb5", "#ff8a80", "#7fd694", "#e8c664", "#8ab8ff", "#dda0f0", "#6cd4d8", "#e4e8ec"),
    *("#b4bcc6", "#ffa69e", "#a2e8b2", "#f5dc94", "#aecdff", "#ecc2fa", "#9ae8ea", "#ffffff"),
)
_MONO = 'ui-monospace, "D2Coding", Menlo, Consolas, monospace'

_RULES = f"""
body {{ font-family: system-ui, "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", sans-serif; }}
body.body--light {{ background: #fff; color: #16191d; }}
.q-page a.link, .link {{ color: #1d4f91; text-decoration: underline; }}
.body--dark .q-page a.link, .body--dark .link {{ color: #9cc4ff; }}
.q-btn.quiet-button {{ color: #1d4f91; }}
.body--dark .q-btn.quiet-button, .body--dark .q-tab--active {{ color: #9cc4ff; }}
.body--dark .q-drawer a, .body--dark .q-field__label {{ color: #d5dae0; }}
.q-field__label, .q-table th, .q-placeholder::placeholder {{ color: #4a535d; opacity: 1; }}
.body--dark .q-table th, .body--dark .q-placeholder::placeholder {{ color: #c3cad2; }}
.quiet {{ color: #4a535d; }}
.body--dark .quiet {{ color: #c3cad2; }}
.log {{ background: {_LOG_BACKGROUND}; color: #d9dee4; display: flex; flex-direction: column-reverse; overflow: auto;
  min-height: 3rem; max-height: min(64vh, 48rem); width: 100%; border-radius: 4px; }}
.log > div {{ padding: .5rem .75rem; }}
.log pre {{ margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.45 {_MONO}; }}
.log .nicegui-html {{ width: 100%; }}
.mono {{ font: 13px/1.45 {_MONO}; white-space: pre-wrap; overflow-wrap: anywhere; }}
.q-table__middle .q-table :is(th, td) {{ padding-left: .6rem; padding-right: .6rem; }}
/* Shadows show that a wide table goes on: these scroll with it, their covers do not. */
.q-table__middle {{ --cover: #fff; --shadow: #0004; background:
  linear-gradient(to right, var(--cover) 1rem, transparent) left / 3rem 100% no-repeat local,
  linear-gradient(to left, var(--cover) 1rem, transparent) right / 3rem 100% no-repeat local,
  linear-gradient(to right, var(--shadow), transparent) left / .8rem 100% no-repeat,
  linear-gradient(to left, var(--shadow), transparent) right / .8rem 100% no-repeat; }}
.body--dark .q-table__middle {{ --cover: {COLOURS["dark"]}; --shadow: #000; }}
.as-is {{ white-space: pre; overflow: auto; max-width: 100%; }}
table.diff {{ font: 12px/1.4 {_MONO}; border-collapse: collapse; width: 100%; table-layout: fixed; }}
table.diff td {{ white-space: pre-wrap; overflow-wrap: anywhere; vertical-align: top; padding: 0 .35rem; }}
table.diff tbody + tbody {{ border-top: 1px solid #8b949e; }}
table.diff td:nth-child(odd) {{ width: 3.2rem; }}
table.diff td.diff_header {{ text-align: right; color: #4a535d; }}
.body--dark table.diff td.diff_header {{ color: #c3cad2; }}
table.diff .diff_add {{ background: #c9f0d3; color: #06280f; }}
table.diff .diff_sub {{ background: #ffd9d6; color: #3d0703; }}
table.diff .diff_chg {{ background: #fdf0b5; color: #332500; }}
iframe.report {{ width: 100%; height: 80vh; border: 1px solid #8b949e; background: #fff; }}
.q-drawer {{ border-right: 1px solid #8b949e55; }}
:focus-visible {{ outline: 2px solid #7a3e9d; outline-offset: 1px; }}
.body--dark :focus-visible {{ outline-color: #e0b3ff; }}
@media (max-width: 599px) {{ .q-page {{ padding: .25rem; }} .nicegui-content {{ padding: .5rem; }} }}
"""


@cache
def style() -> str:
    """The page's style sheet."""
    from ansi2html.style import get_styles

    rules = [str(rule) for rule in get_styles(dark_bg=True) if str(rule).startswith((".ansi", ".inv"))]
    for number, colour in enumerate(_TERMINAL):
        base = number % 8 + (90 if number >= 8 else 30)
        rules.append(f".ansi{base} {{ color: {colour}; }}")
        rules.append(f".ansi{base + 10} {{ background-color: {colour}; color: {_LOG_BACKGROUND}; }}")
    return "\n".join([*rules, _RULES])
