"""The documents of this repository: what they link to exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_relative_link_of_a_document_leads_somewhere() -> None:
    broken, count = [], 0
    for document in tracked("*.md"):
        for target in re.findall(r"\]\(([^()\s]+)\)", document.read_text(encoding="utf-8")):
            if target.startswith(("http://", "https://", "mailto:")):
                continue
            count += 1
            path, _, anchor = target.partition("#")
            there = (document.parent / path) if path else document
            if not there.exists() or (anchor and anchor not in anchors(there)):
                broken.append(f"{document.relative_to(ROOT)}: {target}")
    assert count > 30
    assert broken == []


def test_every_document_that_a_text_or_a_program_names_exists() -> None:
    named = {  # NAME stands for any
        (str(file.relative_to(ROOT)), name)
        for file in tracked("*.md", "*.py", "*.toml", "*.yaml", "*.yml", "*.sh")
        for name in re.findall(r"(?<![\w/.-])docs/[\w/-]+\.md", file.read_text(encoding="utf-8"))
        if "NAME" not in name
    }
    assert named
    assert {(file, name) for file, name in named if not (ROOT / name).exists()} == set()


def test_every_page_of_the_documentation_is_reached_by_links_from_the_readme() -> None:
    seen, left = set(), [ROOT / "README.md"]
    while left:
        document = left.pop()
        if document in seen:
            continue
        seen.add(document)
        for target in re.findall(r"\]\(([^()\s#]+\.md)", document.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                left.append((document.parent / target).resolve())
    unreached = {str(file.relative_to(ROOT)) for file in tracked("docs/*.md")} - {
        str(p.relative_to(ROOT)) for p in seen
    }
    assert unreached == set()


def test_every_command_of_nsml_is_in_the_list_of_commands() -> None:
    from nsml.cli.main import nsml

    text = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`]+)`", text))))
    assert set(nsml.list_commands(None)) - named == set()  # type: ignore[arg-type]


def test_the_list_of_commands_has_the_options_of_the_entry_file() -> None:
    text = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    listed = text.split("## main.py\n")[1].split("\n## ")[0].split("\n`ensemble.py")[0]
    shown = subprocess.run([sys.executable, "main.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    options = set(re.findall(r"^  (?:-h, )?(--\w+)", shown.stdout, re.MULTILINE)) - {"--help"}
    assert len(options) > 10
    assert set(re.findall(r"--\w+", listed)) == options
