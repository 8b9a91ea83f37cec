"""The leaderboard of a dataset, and its best scores over time."""

from __future__ import annotations

import contextlib
import math
import os
from typing import Any, NamedTuple

from nicegui import ui

from ..comparing.bootstrap import RESAMPLES
from ..errors import NsmlError
from ..scoring.rules import published, rules_of
from ..scoring.spool import account
from ..store.datasets import Dataset
from ..store.submissions import Rank, failures_of, ranking, submissions_of
from ..wording import plain, short
from ..wording import score as shown_score
from .board_intervals import Found, newest_intervals
from .chart import axis, base_options, legend, time_axis
from .frame import command_lines, data_table, heading, is_dark, show_error
from .live import watch
from .site import Site, session_address
from .style import LINES
from .texts import Texts

_BOUNDS = ("low", "high", "first_rank", "last_rank")
_MAX_DAMAGED = 20  # lines on submissions that cannot be read


def board(site: Site, dataset: Dataset, t: Texts) -> None:
    """The leaderboard as a table, of all users or the current one, and the best score of each user over time."""
    order = ui.label().classes("quiet")
    whose = ui.toggle({"all": t("Everyone"), "mine": t("Mine")}, value="all").props("no-caps")
    empty = ui.column()
    with empty:
        ui.label(t("No submissions yet. After a session has saved a checkpoint, run:"))
        command_lines([("nsml submit SESSION CHECKPOINT", "")])
    table = data_table(_columns(t, with_intervals=False), "key", links="session")
    legend_line = ui.label().classes("quiet")
    damage = ui.label().classes("as-is").props("role=alert")
    with ui.column().classes("w-full gap-1") as history:
        heading(t("Best score so far"), 2)
        chart = ui.echart({}).classes("w-full h-72")

    def show(content: Content) -> None:
        rows, by_user, lower, marks, damaged = content
        order.set_text(t("Lowest score first" if lower else "Highest score first"))
        table.columns = _columns(t, with_intervals=any(row.get("interval") for row in rows))
        table.rows = rows
        legend_line.set_text(marks)
        damage.set_text(damaged)
        empty.set_visibility(not rows)
        table.set_visibility(bool(rows))
        history.set_visibility(bool(by_user))
        chart.options.clear()
        chart.options.update(_history(by_user, lower, dark[0], t))
        chart.update()

    async def colour() -> None:
        dark[0] = await is_dark()
        refresh()

    def look() -> Content:
        return board_content(site, dataset, whose.value, t)

    def refresh() -> None:
        with contextlib.suppress(NsmlError, OSError):  # `watch` says it
            show(look())

    dark = [False]
    watch(2, look, show, show_error)
    ui.timer(0, colour, once=True)
    whose.on_value_change(refresh)


class Content(NamedTuple):
    """Rows of the table, time and score of each user's submissions, the order, and the lines below the table."""

    rows: list[dict[str, Any]]
    by_user: dict[str, list[tuple[float, float]]]
    lower_is_better: bool
    marks: str
    damaged: str


def _columns(t: Texts, *, with_intervals: bool) -> list[dict[str, Any]]:
    left = {"align": "left", "sortable": True}
    intervals = [
        {"name": "interval", "label": t("Interval"), "field": "interval", "align": "left"},
        {"name": "ranks", "label": t("Ranks"), "field": "ranks", "align": "left"},
    ]
    return [
        {"name": "rank", "label": t("Rank"), "field": "rank", "sortable": True},
        {"name": "user", "label": t("User"), "field": "user", **left},
        {"name": "score", "label": t("Score"), "field": "score", "sortable": True},
        *(intervals if with_intervals else []),
        {"name": "session", "label": t("Session"), "field": "session", **left},
        {"name": "checkpoint", "label": t("Checkpoint"), "field": "checkpoint", **left},
        {"name": "memo", "label": t("Memo"), "field": "memo", "align": "left"},
        {"name": "count", "label": t("Submissions"), "field": "count", "sortable": True},
        {"name": "when", "label": t("Submitted"), "field": "when", "align": "left"},
    ]


def board_content(site: Site, dataset: Dataset, whose: str, t: Texts) -> Content:
    """What the board shows of "all" or "mine". Where the dataset has a referee, that is what he published, and the home's own."""
    made, damaged = submissions_of(site.home, dataset.name)
    said, failed, intervals = "", [], {}
    user, sessions_of = site.home.user(), None
    spool = None if whose == "mine" else dataset.referee()
    # Of a referee not what this home has stored, which its owner could change.
    rules, shown = (rules_of(dataset), {}) if spool is None else published(spool)
    if whose == "mine":
        ranks = [rank for r in made if r["user"] == user for rank in ranking([r], **rules.order())]
        ranks.sort(key=lambda r: (r.outdated, r.score if rules.lower_is_better else -r.score, r.at))
        failed = failures_of(site.home, dataset.name, user)
    elif spool is not None:
        made = shown["rows"]
        ranks = [Rank(**{name: row[name] for name in Rank.__dataclass_fields__ if name in row}) for row in made]
        when, head = t.ago(shown["published_at"]), shown["head"]
        said = t("Published by the referee {time}, ledger {head}", time=when, head=head)
        if note := shown.get("note"):
            said = f"{plain(t.reason(note))}. {said}"
        intervals = {r["number"]: [r.get(name) for name in _BOUNDS] for r in made}
        sessions_of = account(os.getuid())
    else:
        ranks = ranking(made, **rules.order())
        found = newest_intervals(site.home, dataset, [rank for rank in ranks if not rank.outdated], rules)
        intervals = {number: [getattr(one, name) for name in _BOUNDS] for number, one in found.intervals.items()}
        said = _on_intervals(found, t)
    now = [r for r in made if not r["outdated"]]
    return Content(
        _rows(site, ranks, failed, intervals, whose, sessions_of, t),
        # Of a referee's board, only the best submission of each user is known.
        _by_user(now) if spool is None else {},
        rules.lower_is_better,
        " ".join(filter(None, [_legend(made, now, t), said])),
        "\n".join(map(short, damaged[:_MAX_DAMAGED])),
    )


def _rows(
    site: Site,
    ranks: list[Rank],
    failed: list[dict[str, Any]],
    intervals: dict[str, list[Any]],
    whose: str,
    sessions_of: str | None,
    t: Texts,
) -> list[dict[str, Any]]:
    """intervals: _BOUNDS by number. sessions_of: the user whose sessions are in this home; None if all are."""
    rows = [
        {
            **_row(site, r.user, r.session, r.checkpoint, r.at, t, is_here=sessions_of in (None, r.user)),
            "score": _score(r, t),
            **_interval(intervals.get(r.number), t),
            "rank": n if whose == "mine" and not r.outdated else r.rank,
            "key": f"{n}",
            "count": None if whose == "mine" else r.submissions,
        }
        for n, r in enumerate(ranks, 1)
    ]
    return rows + [
        {
            **_row(site, r["user"], r["session"], r["checkpoint"], r["at"], t),
            "score": t("Failed"),
            "memo": short(t.reason(r["error"]), 1000),
            "key": f"failed {n}",
        }
        for n, r in enumerate(reversed(failed))
    ]


def _score(rank: Rank, t: Texts) -> str:
    shown = shown_score(rank.score)
    if rank.private is not None:
        shown = f"{shown_score(rank.private)} ({t('public {score}', score=shown)})"
    remarks = [t("other labels")] * rank.outdated + [t("baseline")] * rank.baseline + [t("final")] * rank.final
    return f"{shown}{' *' * bool(rank.one_class)}" + (f" ({', '.join(remarks)})" if remarks else "")


def _interval(bounds: list[Any] | None, t: Texts) -> dict[str, str]:
    """The cells of the interval and the ranks, "" where they are unknown."""
    if bounds is None:
        return {}
    (low, high, first, last) = (None if bound is None or math.isnan(bound) else bound for bound in bounds)
    return {"interval": _range(low, high, t), "ranks": _range(first or None, last or None, t)}


def _range(low: float | None, high: float | None, t: Texts) -> str:
    if low is None or high is None:
        return ""
    return f"{low:.4g}" if low == high else t("{low} to {high}", low=f"{low:.4g}", high=f"{high:.4g}")


def _on_intervals(found: Found, t: Texts) -> str:
    if found.why:
        return t.reason(f"No intervals: {plain(found.why)}") + "."
    if not found.intervals:
        return ""
    return t(
        "95 % intervals from {resamples} resamples of {patients} patients; the ranks hold for all users at once.",
        resamples=f"{RESAMPLES:,}",
        patients=f"{found.patients:,}",
    )


def _legend(made: list[dict[str, Any]], now: list[dict[str, Any]], t: Texts) -> str:
    """What guessing reaches by the labels of now, and the meaning of the mark."""
    constants = [r["constant"] for r in now if r["constant"] is not None]
    sentences = [
        t("The same answer for every photograph reaches at best {score}.", score=shown_score(c)) for c in constants[-1:]
    ]
    if any(r["one_class"] for r in made):
        sentences.append(t("* All predictions are of one class."))
    return " ".join(sentences)


def _row(
    site: Site, user: str, session: str, checkpoint: str, at: float, t: Texts, *, is_here: bool = True
) -> dict[str, Any]:
    memo = ""
    with contextlib.suppress(NsmlError):
        memo = site.session(session).memo() if is_here else ""
    return {
        "user": short(user),
        "session": short(session),
        "address": session_address(session) if is_here else None,
        "checkpoint": short(checkpoint),
        "memo": plain(memo),
        "when": t.ago(at),
    }


def _by_user(made: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    by_user: dict[str, list[tuple[float, float]]] = {}
    for record in made:
        by_user.setdefault(short(record["user"]), []).append((record["at"], record["score"]))
    return by_user


def _history(by_user: dict[str, list[tuple[float, float]]], lower: bool, dark: bool, t: Texts) -> dict[str, Any]:
    """One step line per user: the best score so far."""
    series = []
    for number, (user, made) in enumerate(by_user.items()):
        best: list[list[float]] = []
        for at, score in made:
            before = best[-1][1] if best else score
            best.append([at * 1000, min(before, score) if lower else max(before, score)])
        colour = LINES[number % len(LINES)]
        series.append({"name": user, "type": "line", "step": "end", "data": best, "color": colour})
    return {
        **base_options(dark),
        "legend": {**legend(dark), "top": 0},
        "tooltip": {"trigger": "axis", "renderMode": "richText"},
        "grid": {"left": 56, "right": 24, "top": 36, "bottom": 32},
        "xAxis": time_axis(dark),
        "yAxis": {"type": "value", "scale": True, "name": t("Score"), **axis(dark)},
        "series": series,
    }
