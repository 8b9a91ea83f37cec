"""docs/reference/contract.md and docs/reference/reliability.md say which test shows each of their lines."""

import re
from pathlib import Path

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "reference" / "contract.md"


def test_every_test_that_the_document_names_exists() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[-2])}
    there = set(
        re.findall(r"^def test_(\w+)\(", "\n".join(p.read_text() for p in HERE.glob("test_*.py")), re.MULTILINE)
    )
    assert len(named) > 90 and named - there == set()


def test_every_line_of_the_document_has_a_test() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ") and "| shown by |" not in line]
    assert [row for row in rows if "`" not in row.split("|")[-2]] == []


def test_every_promise_of_reliability_names_tests_that_exist() -> None:
    document = DOCUMENT.with_name("reliability.md")
    rows = [
        line
        for line in document.read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| promise |")
    ]
    there = set(
        re.findall(r"^def test_(\w+)\(", "\n".join(p.read_text() for p in HERE.glob("test_*.py")), re.MULTILINE)
    )
    assert len(rows) > 20
    for row in rows:
        linked = re.findall(r"\((\.\./[\w/.-]+\.py)\)", row)
        # A row names a file of tests, or tests: beside a link, what stands in code may be an option.
        named = [] if linked else re.findall(r"`(\w+)`", row.split("|")[-2])
        assert linked or named, row
        assert all((document.parent / path).is_file() for path in linked) and set(named) <= there, row
