"""The submissions that a user chooses for the final ranking of a competition with a private part."""

from __future__ import annotations

from ..errors import NsmlError
from ..store.checkpoints import find_checkpoint
from ..store.datasets import find_dataset
from ..store.home import Home
from ..store.sessions import Session
from ..store.submissions import MOST_FINAL, choose_final, submissions_of, take_back_final
from ..wording import score
from .rules import rules_of


def choose(home: Home, session: Session, checkpoint: str, final: bool) -> str:
    """Choose the user's last submission of a checkpoint, or take the choice back.

    Returns:
        A line on the choice; "" if there is no such submission.

    Raises:
        NsmlError: the dataset has no private part, it is closed, or the user has chosen MOST_FINAL others.
    """
    dataset = find_dataset(home, session.name.dataset)
    rules = rules_of(dataset)
    if rules.public_share is None:
        raise NsmlError(
            f"--final: dataset {dataset.name} has no private part, so the best score counts; submit without --final"
        )
    if rules.closed_at is not None:
        raise NsmlError(f"--final: the competition was closed at {rules.when(rules.closed_at)}")
    stored = find_checkpoint(session.checkpoints, checkpoint, str(session.name))
    made = submissions_of(home, dataset.name, home.user())[0]
    own = [record for record in made if (record["session"], record["checkpoint"]) == (str(session.name), stored.name)]
    chosen = [record for record in made if record["final"] is not None]
    if not final:
        back = [record for record in own if record["final"] is not None]
        for record in back:
            take_back_final(home, dataset.name, record["number"])
        return f"Submission {back[-1]['number']} is no longer final" if back else ""
    # A checkpoint that was saved again since is another one.
    own = [record for record in own if record["at"] >= stored.saved_at and not record["outdated"]]
    if not own and len(chosen) >= MOST_FINAL:
        shown = " and ".join(f"{record['session']} {record['checkpoint']}" for record in chosen)
        raise NsmlError(f"{MOST_FINAL} submissions are final already, {shown}; 'nsml submit --no-final' takes one back")
    if not own:
        return ""
    if own[-1]["final"] is None:
        choose_final(home, dataset.name, own[-1]["number"])
        chosen.append(own[-1])
    return f"Submission {own[-1]['number']}, public score {score(own[-1]['score'])}, is final; {len(chosen)} of {MOST_FINAL} are chosen"
