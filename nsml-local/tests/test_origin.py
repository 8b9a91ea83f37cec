"""What a session was made from: commit, data, versions, and the settings that its program names."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from helpers import PROGRAM, Nsml, start_and_wait


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(["git", *names, "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


def record_of(home: Path, name: str) -> dict[str, object]:
    record: dict[str, object] = json.loads((home / "sessions" / name / "session.json").read_text())
    return record


def test_a_session_names_commit_data_versions_and_settings(nsml: Nsml, dataset: str, project: Path, home: Path) -> None:
    settings = "nsml.describe(learning_rate=0.01, optimizer='adam')\n    nsml.describe(batch_size=8)"
    (project / "main.py").write_text(
        f"import numpy\n{PROGRAM}".replace("    for epoch", f"    {settings}\n    for epoch", 1)
    )
    without = record_of(home, start_and_wait(nsml))
    assert "commit" not in without
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    clean = record_of(home, start_and_wait(nsml))
    (project / "notes.txt").write_text("x")
    changed = record_of(home, start_and_wait(nsml))
    assert clean["commit"] == changed["commit"] == git(project, "rev-parse", "HEAD").strip()
    assert clean["clean"] is True and changed["clean"] is False
    assert clean["settings"] == {"learning_rate": 0.01, "optimizer": "adam", "batch_size": 8}
    versions = clean["versions"]
    assert isinstance(versions, dict) and {"python", "numpy", "nsml"} <= versions.keys() and "json" not in versions
    assert clean["data"] == without["data"] and list(without["data"]) == [dataset]  # type: ignore[call-overload]
    shown = json.loads(nsml("diff", "-j", "FUNDUS/2", "FUNDUS/3").out)["environment"]
    assert shown["commit"] == [clean["commit"], f"{changed['commit']}, changed"]
    assert shown["settings"] == ["learning_rate 0.01, optimizer adam, batch_size 8"] * 2


def test_other_photographs_have_another_digest(
    nsml: Nsml, dataset: str, project: Path, home: Path, tmp_path: Path
) -> None:
    one = record_of(home, start_and_wait(nsml))
    photograph = next((tmp_path / "source" / "train").rglob("*.jpg"))
    photograph.write_bytes(photograph.read_bytes() + b"\0")
    nsml("dataset", "push", "OTHER", str(tmp_path / "source"))
    other = record_of(home, start_and_wait(nsml, dataset="OTHER"))
    assert one["data"]["FUNDUS"] != other["data"]["OTHER"]  # type: ignore[index]
    assert len(other["data"]["OTHER"]) == 12  # type: ignore[index]


def test_a_program_that_describes_nothing_leaves_its_versions_at_the_first_save(
    nsml: Nsml, python: Nsml, dataset: str, home: Path
) -> None:
    record = record_of(home, start_and_wait(nsml))
    assert "python" in record["versions"] and "settings" in record  # type: ignore[operator]
    by_hand = python("main.py", NSML_DATASET=dataset)
    assert by_hand.status == 0, by_hand.err
    assert {"versions", "data"} <= record_of(home, "tester/FUNDUS/2").keys()


def test_a_value_without_a_json_form_is_refused(nsml: Nsml, dataset: str, project: Path) -> None:
    (project / "main.py").write_text(
        PROGRAM.replace("    for epoch", "    nsml.describe(model=print)\n    for epoch", 1)
    )
    start_and_wait(nsml)
    assert "TypeError: nsml.describe: model is a builtin_function_or_method" in nsml("logs", "FUNDUS/1").out
