"""`nsml new`: begin a project from an example."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click

from ..errors import NsmlError
from ..store.files import folder_beside

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
# The parts of the fundus template; they travel in the wheel, and stand in the repository's root.
FUNDUS = ("main.py", "ensemble.py", "setup.py", ".nsmlignore", "dataprep", "model", "evidence")


@dataclass(frozen=True)
class _Example:
    """file: in `EXAMPLES`, or "" for the fundus template. demo: what follows `nsml dataset demo`. dataset: what that draws."""

    file: str
    demo: str = ""
    dataset: str = "FUNDUS_DEMO"


_ALL = {
    "sklearn": _Example("sklearn_minimal.py"),
    "keras": _Example("keras_minimal.py"),
    "torch": _Example("torch_minimal.py"),
    "lightgbm": _Example("lightgbm_table.py", " --table", "TABLE_DEMO"),
    "fundus": _Example(""),
}


@click.command(
    epilog="""\b
Examples:
  nsml new first                        photographs with scikit-learn, trained in seconds
  nsml new eyes --from keras            a small network; --from torch is the same in PyTorch
  nsml new risks --from lightgbm        a table
  nsml new fundus --from fundus         the whole recipe for fundus photographs
"""
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--from", "example", type=click.Choice(list(_ALL)), default="sklearn", show_default=True,
              help="The example to begin with.")  # fmt: skip
def new(folder: Path, example: str) -> None:
    """Make FOLDER, a new project that can be submitted. It has main.py, what that needs, and a README."""
    chosen = _ALL[example]
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NsmlError(f"{folder} is not an empty folder; name another one")
    target = folder.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with folder_beside(target.parent) as part:
        _fill(part, target.name, chosen)
        target.mkdir(exist_ok=True)
        for path in part.iterdir():
            path.rename(target / path.name)
    click.echo(f"{folder} is a new project. Next:\n\n{_steps(chosen, f'cd {shlex.quote(str(folder))}')}")


def _fill(part: Path, name: str, example: _Example) -> None:
    if example.file:
        source = EXAMPLES / example.file
        text = source.read_text(encoding="utf-8")
        (part / "main.py").write_text(text, encoding="utf-8")
        (part / "requirements.txt").write_text("".join(f"{need}\n" for need in _needs(text)), encoding="utf-8")
        about = text.split('"""')[1]
    else:
        packed = EXAMPLES / "fundus"
        template = packed if packed.is_dir() else EXAMPLES.parents[3]
        for each in FUNDUS:
            if (template / each).is_dir():
                shutil.copytree(template / each, part / each, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(template / each, part / each)
        about = "A recipe for fundus photographs: EfficientNet-Lite0, trained by phases. `python main.py --help` lists its options."
    (part / "README.md").write_text(
        f"# {name}\n{about}\n\n```\n{_steps(example)}```\n"
        "`nsml dataset push NAME PATH` registers your own data. `nsml check` names what would fail at a submit.\n",
        encoding="utf-8",
    )


def _steps(example: _Example, first: str = "") -> str:
    data = example.dataset
    steps = {
        f"nsml dataset demo{example.demo}": f"draws {data}, to try it on",
        f"nsml run -d {data}": "trains main.py in a session",
        f"nsml logs -f {data}/1": "follows its output",
        f"nsml submit {data}/1 best": "scores its checkpoint on the hidden labels",
        f"nsml dataset board {data}": "shows the leaderboard",
    }
    lines = [f"{command:<36}{what}\n" for command, what in steps.items()]
    return "".join([f"{first}\n" * bool(first), *lines])


def _needs(text: str) -> list[str]:
    """The dependencies of the script's metadata, see https://packaging.python.org/specifications/inline-script-metadata."""
    block = re.search(r"(?m)^# /// script\n((?:#.*\n)+?)# ///$", text)
    assert block is not None
    needs: list[str] = tomllib.loads(re.sub(r"(?m)^# ?", "", block[1]))["dependencies"]
    return needs
