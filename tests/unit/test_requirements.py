"""docs/requirements.md: which test or document answers each requirement, made from the names of the tests."""

import ast
import csv
import re
from collections import defaultdict

from conftest import REPOSITORY

TABLE = REPOSITORY / "tests" / "requirements.csv"
HEAD = """# Requirements

What groups that share scans ask of a pipeline, and which test or document answers each. Made from
`tests/requirements.csv` and the names of the tests, which hold the numbers, by
`pytest --fix tests/unit/test_requirements.py`.

| | holds when | answered by |
|---|---|---|
"""


def answers():
    """Return the tests that have a requirement's number in their name, by number."""
    found = defaultdict(list)
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in re.findall(r"(?<=_)r(\d\d)(?=_|$)", node.name):
                    found[f"R{number}"].append(f"{path.relative_to(REPOSITORY)}::{node.name}")
    return found


def requirements():
    """Return the rows of the table."""
    with TABLE.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_requirements_are_all_there_once():
    assert [row["id"] for row in requirements()] == [f"R{number:02d}" for number in range(1, 81)]


def test_every_requirement_says_what_answers_it(generated):
    found, lines = answers(), []
    for row in requirements():
        told = [f"`{name}`" for name in found[row["id"]]] + [row["elsewhere"]] * bool(row["elsewhere"])
        lines.append(f"| {row['id']} | {row['holds when']} | {'<br>'.join(told) or 'open'} |\n")
    generated(REPOSITORY / "docs" / "requirements.md", HEAD + "".join(lines))


def test_only_what_a_person_reviews_and_erases_is_open():
    found = answers()
    open_ones = {row["id"] for row in requirements() if not found[row["id"]] and not row["elsewhere"]}
    assert open_ones == set()
