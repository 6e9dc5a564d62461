"""Options and fixtures for all tests: real scans where they are at hand, generated files with --fix."""

import difflib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
REAL_SCANS = REPOSITORY.parent / "shared" / "data"


def pytest_addoption(parser):
    parser.addoption("--fix", action="store_true", help="write generated files in place of comparing them")


@pytest.fixture
def generated(request):
    """Compare a committed file with the text that it is generated from, or write it with --fix."""

    def check(path: Path, text: str) -> None:
        if request.config.getoption("--fix"):
            path.write_text(text, encoding="utf-8")
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        diff = "\n".join(
            difflib.unified_diff(old.splitlines(), text.splitlines(), "committed", "generated", n=0)
        )
        assert old == text, f"{path.name} is stale: run pytest --fix {request.node.nodeid}\n{diff}"

    return check


@pytest.fixture(scope="session")
def real_scans():
    """Return the folder of real scans, which lies beside the repository on some machines."""
    if not REAL_SCANS.is_dir():
        pytest.skip("the real scans are not at hand")
    return REAL_SCANS
