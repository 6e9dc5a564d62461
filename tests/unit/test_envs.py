"""envs and the lock: one set of pins, no address of a package index."""

import re
import tomllib
from importlib import metadata

import yaml
from packaging.requirements import Requirement

from conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
LOCK = (REPOSITORY / "requirements.lock").read_text()
PINS = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", LOCK, re.MULTILINE))
PYTHON = "3.11"
CONTROLLER_ONLY = {"flask", "snakemake", "waitress"}

_HEADER = """# {what}
# Made from requirements.lock: pytest --fix tests/unit/test_envs.py. Python packages come from pip, which
# carries the same builds as the lock; conda brings Python.
"""

_THERE = {"extra": "", "python_version": PYTHON, "python_full_version": f"{PYTHON}.0"}


def closure(names):
    """Return the pins of packages and of all that they need on Linux."""
    found, waiting = {}, [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = requirement.name.lower().replace("_", "-")
        if name in found or (requirement.marker and not requirement.marker.evaluate(_THERE)):
            continue
        found[name] = PINS[name]
        waiting += [Requirement(text) for text in _needs(name)]
    return found


def _needs(name):
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # a backport that only the oldest Python installs: it needs nothing
        return []


def environment(what, names):
    """Return the text of a conda environment."""
    packages = [f"{name}=={version}" for name, version in sorted(closure(names).items())]
    content = {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": [f"python ={PYTHON}", "pip", {"pip": packages}],
    }
    return _HEADER.format(what=what) + yaml.safe_dump(content, sort_keys=False, indent=2)


def test_the_steps_environment_has_the_pins_of_the_lock(generated):
    names = [name for name in PROJECT["dependencies"] if name not in CONTROLLER_ONLY]
    generated(REPOSITORY / "envs" / "efface.yaml", environment("What the steps need", names))


def test_the_controllers_environment_has_the_pins_of_the_lock(generated):
    names = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["slurm"]]
    generated(REPOSITORY / "envs" / "controller.yaml", environment("What starts the workflow", names))


def test_the_lock_has_hashes_for_every_package_and_no_address():
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(blocks) == len(PINS)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in LOCK


def test_the_lock_holds_what_the_project_asks_for():
    asked = [
        *PROJECT["dependencies"],
        *(one for extra in PROJECT["optional-dependencies"].values() for one in extra),
    ]
    assert {Requirement(name).name.lower() for name in asked} <= set(PINS)
    for name in ("nibabel", "pydicom", "dicom2nifti", "numpy", "scipy", "snakemake"):
        assert name in PROJECT["dependencies"]


def test_the_installed_packages_are_the_locked_ones():
    for name in PROJECT["dependencies"]:
        assert metadata.version(name) == PINS[name.lower()]
