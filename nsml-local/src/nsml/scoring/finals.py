"""The submissions that a user chooses for the final ranking of a competition with a private part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import NsmlError, Refused
from ..store.checkpoints import Checkpoint, find_checkpoint
from ..store.datasets import Dataset, digest, find_dataset
from ..store.home import Home
from ..store.sessions import Session
from ..store.submissions import MOST_FINAL, choose_final, submissions_of, take_back_final
from ..wording import score
from .rules import rules_of
from .spool import hand_in, wait_for_answer

_PATIENCE = 600.0  # seconds, for the referee


def choose(home: Home, session: Session, checkpoint: str, final: bool) -> str:
    """Choose the user's last submission of a checkpoint, or take the choice back.

    Returns:
        A line on the choice; "" if there is no such submission.

    Raises:
        NsmlError: the dataset has no private part, it is closed, or the user has chosen MOST_FINAL others.
        RunFailed: the referee does not answer.
    """
    dataset = find_dataset(home, session.name.dataset)
    stored = find_checkpoint(session.checkpoints, checkpoint, str(session.name))
    if (spool := dataset.referee()) is not None:
        return _ask_referee(spool, session, stored, final)

    def is_current(record: dict[str, Any]) -> bool:
        return bool(record["at"] >= stored.saved_at)

    return choose_submission(home, dataset, home.user(), str(session.name), stored.name, final, is_current)[1]


def choose_submission(
    home: Home,
    dataset: Dataset,
    user: str,
    session: str,
    checkpoint: str,
    final: bool,
    is_current: Callable[[dict[str, Any]], bool],
) -> tuple[list[str], str]:
    """Choose for `choose`, in the home that has the labels; return the submissions that are now chosen or not, and the line.

    is_current: whether a submission is of the checkpoint as it is; one that was saved again since is another.
    """
    rules = rules_of(dataset)
    if rules.public_share is None:
        raise NsmlError(
            f"--final: dataset {dataset.name} has no private part, so the best score counts; submit without --final"
        )
    if rules.closed_at is not None:
        raise NsmlError(f"--final: the competition was closed at {rules.when(rules.closed_at)}")
    made = submissions_of(home, dataset.name, user)[0]
    own = [record for record in made if (record["session"], record["checkpoint"]) == (session, checkpoint)]
    chosen = [record for record in made if record["final"] is not None]
    if not final:
        back = [record["number"] for record in own if record["final"] is not None]
        for number in back:
            take_back_final(home, dataset.name, number)
        return [record["number"] for record in own], f"Submission {back[-1]} is no longer final" if back else ""
    own = [record for record in own if is_current(record) and not record["outdated"]]
    if not own and len(chosen) >= MOST_FINAL:
        shown = " and ".join(f"{record['session']} {record['checkpoint']}" for record in chosen)
        raise NsmlError(f"{MOST_FINAL} submissions are final already, {shown}; 'nsml submit --no-final' takes one back")
    if not own:
        return [], ""
    last = own[-1]
    # One too many is left by a process that was killed while it chose.
    if last["final"] is None or len(chosen) > MOST_FINAL:
        choose_final(home, dataset.name, last["number"])
        chosen = [record for record in chosen if record["number"] != last["number"]] + [last]
    line = f"Submission {last['number']}, public score {score(last['score'])}, is final; {len(chosen)} of {MOST_FINAL} are chosen"
    return [last["number"]], line


def _ask_referee(spool: Path, session: Session, checkpoint: Checkpoint, final: bool) -> str:
    facts = {"session": str(session.name), "checkpoint": checkpoint.name, "final": final}
    digests = {"code": digest(session.code), "model": digest(checkpoint.folder)}
    answer = wait_for_answer(spool, hand_in(spool, facts | digests, b"", b""), _PATIENCE)
    if answer.get("result") != "chosen":
        raise Refused(f"the referee says: {answer.get('reason', 'nothing')}")
    return str(answer.get("says", ""))
