"""The BIDS validator's own word on the dataset."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from efface.audit.finding import BLOCK, Finding

_PROGRAM = "bids-validator-deno"
_CONFIG = Path(__file__).parents[3] / "workflow/schemas/bids-validator.json"


def validated(dataset: Path, program: str | None = None) -> Iterator[Finding]:
    """Yield the errors of bids-validator-deno, one for each kind and file; its advice is left to others.

    A validator that is absent or fails blocks: what is not known to be BIDS is not published.
    """
    program = program or _found()
    if program is None:
        yield _broken("is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        # A cache of its own: a home that cannot be written must not stop it, nor another user's be read.
        surroundings = os.environ | {"DENO_DIR": folder, "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
        config = ["-c", str(_CONFIG)] if _CONFIG.is_file() else []
        done = subprocess.run(
            [program, str(dataset), *config, "--max-rows", "-1", "--format", "json", "-o", str(report)],
            env=surroundings,
            capture_output=True,
            check=False,
        )
        try:
            issues = json.loads(report.read_text(encoding="utf-8"))["issues"]["issues"]
        except (OSError, ValueError, KeyError):
            yield _broken(f"ended with code {done.returncode} and no report")
            return
    for issue in issues:
        if issue.get("severity") != "error":
            continue
        code = " ".join(filter(None, (issue.get("code"), issue.get("subCode"))))
        yield Finding(
            "bids",
            BLOCK,
            str(issue.get("location", "")).lstrip("/"),
            "",
            code,
            "see the code in the BIDS validator's documentation",
        )


def _found() -> str | None:
    beside = Path(sys.executable).with_name(_PROGRAM)
    return str(beside) if beside.exists() else shutil.which(_PROGRAM)


def _broken(how: str) -> Finding:
    return Finding("bids", BLOCK, "", "", f"the BIDS validator {how}", f"install {_PROGRAM} and run again")
