"""A datathon of three days in a minute or two, from the rules to the restored backup: organiser and teams are accounts of their own.

Its days are those of a time zone that is a file of the organiser's, in which the clock jumps to midnight. So every program has the
right time, and nothing in nsml knows of it. It runs as root, as only root can act as several accounts.
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nsml
from nsml.scoring.fundus import fundus_score
from stress.counts import Counts, Plan
from stress.homes import Ended

ORGANISER, FIRST_TEAM = 60000, 60001
ZONE = "Datathon/Hall"
LABELS = [number % 4 for number in range(60)]
# Each epoch answers more test items rightly.
EPOCHS = (12, 20, 28, 36, 44, 52)
PROGRAM = f"""\
import argparse, json, os
import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", default="0")
parser.add_argument("--more", type=int, default=0)
args = parser.parse_args()
model = {{}}

def save(folder):
    with open(os.path.join(folder, "model.json"), "w") as file:
        json.dump(model, file)

def load(folder):
    with open(os.path.join(folder, "model.json")) as file:
        model.update(json.load(file))

def infer(path):
    return [(n + (n * 7 % {len(LABELS)} >= model["right"])) % 4 for n in range({len(LABELS)})]

nsml.bind(save=save, load=load, infer=infer)
if args.pause:
    nsml.paused(scope=locals())
for epoch, right in enumerate({EPOCHS}):
    model["right"] = right + args.more
    nsml.save(epoch)
"""


def prove(plan: Plan) -> Counts:
    """A datathon with `times` teams, two at least, and two submissions a day."""
    return Datathon(plan.folder, max(plan.times, 2), per_day=2, metric="kappa").run()


@cache
def interpreter() -> tuple[str, str]:
    """A Python and a PYTHONPATH with which another account can run nsml. OSError says why there is none."""
    if os.getuid() != 0 or not sys.platform.startswith("linux"):
        raise OSError("only root of Linux can act as several accounts")
    paths = os.pathsep.join([str(Path(nsml.__file__).parents[1]), sysconfig.get_path("purelib")])
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        command = [python, "-c", "import click, numpy, sklearn.metrics, nsml.cli.main, encodings.cp949"]
        try:
            tried = subprocess.run(command, env={"PYTHONPATH": paths}, cwd="/", capture_output=True, check=False,
                                   user=FIRST_TEAM, group=FIRST_TEAM, extra_groups=[])  # fmt: skip
        except OSError:
            continue  # it lies in the home of root
        if tried.returncode == 0:
            return python, paths
    raise OSError("no Python of this version can be started by another account with the packages of this one")


@dataclass(frozen=True)
class Account:
    """An account with a home of its own, which nobody else can read."""

    uid: int
    folder: Path
    zones: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"uid{self.uid}"

    def environment(self, home: str = "nsml") -> dict[str, str]:
        variables = {
            "PYTHONPATH": interpreter()[1],
            "PYTHONTZPATH": f"{self.zones}:/usr/share/zoneinfo",
            **self.variables,
        }
        own = {"HOME": str(self.folder), "NSML_HOME": str(self.folder / home), "COLUMNS": "140", "LANG": "C.UTF-8"}
        return variables | own | {"PATH": os.environ.get("PATH", os.defpath), "OPENBLAS_NUM_THREADS": "1"}

    def start(
        self, *arguments: str, home: str = "nsml", through: Sequence[str] = (), **options: Any
    ) -> subprocess.Popen[str]:
        """Start the `nsml` command as this account, with `through` as `srun` before it."""
        command = [*through, interpreter()[0], "-m", "nsml", *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment(home), stdin=subprocess.DEVNULL, text=True, errors="replace",
            user=self.uid, group=self.uid, extra_groups=[], umask=0o077, **options,
        )  # fmt: skip

    def nsml(self, *arguments: str, home: str = "nsml", through: Sequence[str] = ()) -> Ended:
        """Run the command."""
        process = self.start(*arguments, home=home, through=through, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=300)
        return Ended(process.returncode, out, err)


@dataclass
class Datathon:
    """Accounts, spool, clock and what was found."""

    folder: Path
    teams_wanted: int
    per_day: int
    metric: str
    counts: Counts = field(default_factory=Counts)

    def run(self) -> Counts:
        interpreter()
        self.folder.chmod(0o755)
        self.offsets = [(0, 1 - 86400)]  # so low that two midnights fit in, as an offset is less than a day
        while -time.time() % 86400 < 300:
            time.sleep(1)  # the day of the zone would end by itself
        self._write_zone()
        self.organiser = self._account(ORGANISER)
        self.teams = [self._account(FIRST_TEAM + number) for number in range(self.teams_wanted)]
        self.spool = self.organiser.folder.with_name("srv") / "EYES"
        self.spool.parent.mkdir()
        os.chown(self.spool.parent, ORGANISER, ORGANISER)
        self._before()
        try:
            self._first_two_days()
            self._last_day()
            self._after()
        finally:
            self._end_referee()
        self.counts.done["teams"] = len(self.teams)
        return self.counts

    # The story.

    def _before(self) -> None:
        """Rules, data, referee, a baseline; a team that is too early."""
        data, shown = self.organiser.folder / "data", self.folder / "eyes"
        for source in (data, shown):
            self._write(source / "train" / "train_data" / "items.txt", "1\n")
            self._write(source / "test" / "test_data" / "items.txt", "1\n")
        self._write(data / "test" / "test_label", "".join(f"{label}\n" for label in LABELS))
        self._write(
            data / "rules.toml",
            f'metric = "{self.metric}"\nper_day = {self.per_day}\ntotal = {2 * self.per_day}\ntime_zone = "{ZONE}"\n'
            "opens = 2099-01-01T09:00:00\ndeadline = 2099-01-03T18:00:00\n"
            'public_share = 0.4\nbaselines = ["organiser"]\n',
        )
        self._own(data, ORGANISER)
        self._must(self.organiser, "dataset", "push", "EYES", str(data), "--rules", str(data / "rules.toml"))
        self._must(self.organiser, "login", "organiser")
        self._train(self.organiser, 0)
        self._must(self.organiser, "submit", "EYES/1", "0")
        self._start_referee()
        self._each(lambda team: self._must(team, "dataset", "push", "EYES", str(shown), "--referee", str(self.spool)))
        self._each(lambda team: self._train(team, team.uid - FIRST_TEAM))
        self._refused(self.teams[0], "0", "submissions open at 2099-01-01 09:00")
        # A TOML time without an offset is one of the competition's time zone.
        self._must(self.organiser, "dataset", "rules", "EYES", "opens=2026-01-01T09:00:00")

    def _first_two_days(self) -> None:
        """All submissions of a day, and one more; at midnight the referee is killed and begins again."""
        total = 2 * self.per_day
        for day in (0, 1):

            def submit(team: Account, day: int = day) -> None:
                for done in range(self.per_day * day, self.per_day * (day + 1)):
                    today, in_all = self.per_day * (day + 1) - done - 1, total - done - 1
                    left = (
                        f"{today} of {self.per_day} left today, next at 00:00 {ZONE}; {in_all} of {total} left in all"
                    )
                    self._scored(team, str(done), left)
                why = (
                    f"0 of {self.per_day} left today, next at 00:00 {ZONE}" if day == 0 else f"0 of {total} submissions"
                )
                self._refused(team, "4", why)

            self._each(submit)
            self._midnight()

    def _last_day(self) -> None:
        """An extension, the choices for the final ranking, the deadline."""
        first, second = self.teams[:2]
        self._must(self.organiser, "dataset", "rules", "EYES", f"total={2 * self.per_day + 1}")
        self._scored(first, "4", f"{self.per_day - 1} of {self.per_day} left today", "--final")
        for checkpoint, number in (("0", 1), ("1", 2)):
            said = self._must(second, "submit", "--final", "EYES/1", checkpoint).out
            self.counts.check(f"is final; {number} of 2 are chosen" in said, f"--final said {said!r}")
        self._refused(second, "2", "2 submissions are final already", "--final")
        deadline = int(time.time()) + 1
        self._must(
            self.organiser, "dataset", "rules", "EYES", f"deadline={time.strftime('%FT%TZ', time.gmtime(deadline))}"
        )
        while time.time() < deadline:
            time.sleep(0.1)
        self._refused(self.teams[-1], "5", "the deadline was")
        listed = json.loads(self._must(self.teams[-1], "dataset", "board", "--mine", "-j", "EYES").out)
        self.counts.check(sum("error" in row for row in listed) == 2, "a team does not see what was refused")

    def _after(self) -> None:
        """Close, both halves, export, backup, restore, verify."""
        organiser = self.organiser
        self._must(organiser, "dataset", "close", "-f", "EYES")
        self._refused(self.teams[0], "5", "the competition was closed at")
        board = json.loads(self._must(organiser, "dataset", "board", "--json", "EYES").out)
        public = (organiser.folder / "nsml" / "datasets" / "EYES" / "hidden" / "public").read_text().splitlines()
        halves = _halves(public)
        for row in board:
            team = 0 if row["baseline"] else int(row["user"].removeprefix("uid")) - FIRST_TEAM
            right = EPOCHS[int(row["checkpoint"])] + team
            for half, name in zip(halves, ("score", "private"), strict=True):
                answers, labels = [_answer(n, right) for n in half], [LABELS[n] for n in half]
                expected = _kappa(answers, labels) if self.metric == "kappa" else fundus_score(labels, answers).score
                self.counts.check(
                    abs(row[name] - expected) < 1e-6, f"{row['user']}: {name} {row[name]}, not {expected}"
                )
        counted = {row["user"]: row["checkpoint"] for row in board}
        wanted = {"organiser": "0", self.teams[0].name: "4", self.teams[1].name: "1"}
        self.counts.check(wanted.items() <= counted.items(), f"of each user counts {counted}")
        ranked = [row["private"] for row in board if row["rank"] is not None]
        self.counts.check(len(ranked) == len(self.teams), f"{len(ranked)} teams have a rank")
        self.counts.check(ranked == sorted(ranked, reverse=True), "the ranks are not those of the private half")
        self.counts.check(all(row["low"] is not None for row in board), "a score has no interval")
        until = time.monotonic() + 60
        while _as_shown(seen := self._published()) != _as_shown(board):
            if time.monotonic() > until:
                self.counts.losses.append(f"the teams see another board, {seen}")
                break
        self._end_referee()
        exported = self._must(organiser, "dataset", "board", "--csv", "EYES").out
        self.counts.check(len(list(csv.DictReader(io.StringIO(exported)))) == len(board), "the CSV has other rows")
        self._must(organiser, "backup", str(organiser.folder / "backup"))
        self._must(organiser, "restore", str(organiser.folder / "backup"), home="restored")
        verified = {self._must(organiser, "referee", "verify", "EYES", home=home).out for home in ("nsml", "restored")}
        self.counts.check(len(verified) == 1, f"the ledgers differ: {verified}")
        again = self._must(organiser, "dataset", "board", "--csv", "EYES", home="restored").out
        self.counts.check(again == exported, "the restored board is another")
        print(exported, *verified, sep="", end="", flush=True)

    # Its steps.

    def _each(self, act: Callable[[Account], object]) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(act, self.teams))

    def _train(self, account: Account, more: int) -> None:
        self._write(account.folder / "main.py", PROGRAM)
        self._must(account, "run", "-d", "EYES", "-a", f"--more {more}")
        self._must(account, "logs", "-f", "EYES/1")

    def _scored(self, team: Account, checkpoint: str, left: str, *options: str) -> None:
        ended = self._must(team, "submit", *options, "EYES/1", checkpoint)
        self.counts.check(left in ended.err, f"{team.name}: not {left!r}, but {ended.err!r}")
        self.counts.done["scored"] += 1

    def _refused(self, team: Account, checkpoint: str, why: str, *options: str) -> None:
        ended = team.nsml("submit", *options, "EYES/1", checkpoint)
        is_said = ended.status == 2 and why in ended.err and "Score" not in ended.out
        self.counts.check(is_said, f"{team.name} was not told {why!r}, but {ended}")
        self.counts.done["refused"] += 1

    def _must(self, account: Account, *arguments: str, home: str = "nsml") -> Ended:
        ended = account.nsml(*arguments, home=home)
        if ended.status != 0:
            raise RuntimeError(f"{account.name}: nsml {' '.join(arguments)} ended with {ended.status}: {ended.err}")
        return ended

    def _published(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self._must(self.teams[0], "dataset", "board", "-j", "EYES").out)
        return rows

    def _start_referee(self) -> None:
        with open(self.folder / "referee.txt", "a") as log:
            self.referee = self.organiser.start("referee", "EYES", "--spool", str(self.spool), stdout=log, stderr=log)
        while not (self.spool / "board.json").exists():
            if self.referee.poll() is not None:
                raise RuntimeError((self.folder / "referee.txt").read_text())
            time.sleep(0.05)

    def _end_referee(self) -> None:
        if self.referee.poll() is None:
            self.referee.send_signal(signal.SIGKILL)
        self.referee.wait()

    def _midnight(self) -> None:
        """From now on it is the next day."""
        self._end_referee()
        self.counts.done["kills"] += 1
        midnight = (int(time.time() + self.offsets[-1][1]) // 86400 + 1) * 86400
        now = int(time.time()) + 1
        self.offsets.append((now, midnight - now))
        self._write_zone()
        while time.time() < now:
            time.sleep(0.05)
        self._start_referee()

    def _write_zone(self) -> None:
        """The time zone as a file of the first version of RFC 9636: moments, the offset from each on, abbreviations."""
        (_, first), *changes = self.offsets
        header = struct.pack(">4s16x6l", b"TZif", 0, 0, 0, len(changes), len(self.offsets), 5)
        moments = b"".join(struct.pack(">l", moment) for moment, _ in changes) + bytes(range(1, len(changes) + 1))
        offsets = b"".join(struct.pack(">lbb", offset, 0, 0) for offset in (first, *(offset for _, offset in changes)))
        self._write(self.folder / "zones" / ZONE, header + moments + offsets + b"HALL\0")

    def _account(self, uid: int) -> Account:
        folder = self.folder / f"uid{uid}"
        folder.mkdir(0o700)
        os.chown(folder, uid, uid)
        return Account(uid, folder, self.folder / "zones")

    def _write(self, path: Path, content: str | bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def _own(self, folder: Path, uid: int) -> None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, uid)


def _as_shown(board: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Users, private scores, intervals and ranks, rounded as on the board."""
    rounded = [{name: f"{row[name] or 0:.4g}" for name in ("low", "high")} for row in board]
    names = ("user", "rank", "private", "first_rank", "last_rank")
    return [(*(row[name] for name in names), *each.values()) for row, each in zip(board, rounded, strict=True)]


def _halves(public: Iterable[str]) -> tuple[list[int], list[int]]:
    """The places of the public and of the private labels. Public ones are named `line 1` and so on."""
    shown = {int(name.removeprefix("line ")) - 1 for name in public}
    return sorted(shown), sorted(set(range(len(LABELS))) - shown)


def _answer(number: int, right: int) -> int:
    """PROGRAM's answer to a test item."""
    return (number + (number * 7 % len(LABELS) >= right)) % 4


def _kappa(answers: Sequence[int], labels: Sequence[int]) -> float:
    """Cohen's kappa with quadratic weights, written down once more."""
    observed = sum((a - b) ** 2 for a, b in zip(answers, labels, strict=True)) / len(labels)
    return 1 - observed / (sum((a - b) ** 2 for a in answers for b in labels) / len(labels) ** 2)
