"""A run that is killed, again and again, at moments that nobody chose."""

import os
import random
import signal
import time

import pytest
import yaml

from study import tree

ROUNDS, KILLS = 5, 5
LONGEST = 7.0  # seconds: a start of this visit takes about twice as long


@pytest.fixture(scope="module")
def study(demo, tmp_path_factory):
    """Return how to start a run of one person's first visit in a folder, and the release it must give."""
    (visit,) = demo.dicom.glob("CD_*/DICOM/PA000001/ST000001")
    config = tmp_path_factory.mktemp("study") / "study.yaml"
    config.write_text(yaml.safe_dump(demo.elsewhere()))

    def arguments(folder):
        return (
            "run",
            visit,
            folder / "release",
            "--work",
            folder / "work",
            "--config",
            config,
            "--cores",
            "2",
        )

    reference = tmp_path_factory.mktemp("reference")
    result = demo.workflow.efface(*arguments(reference))
    assert result.code == 0, result.said
    return demo.workflow, arguments, tree(reference / "release")


def killed(workflow, line, moment):
    """Start a run and kill it and all its jobs; `moment` waits, and returns early when the run has ended."""
    running = workflow.started(*line)
    moment(running)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def after(seconds):
    def wait(running):
        end = time.monotonic() + seconds
        while time.monotonic() < end and running.poll() is None:
            time.sleep(0.002)

    return wait


def when(path):
    def wait(running):
        while not path.exists() and running.poll() is None:
            time.sleep(0.0002)

    return wait


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_run_that_is_killed_leaves_the_same_release_or_none(study, tmp_path, seed):
    """Five times killed and then let through, in each of five rounds: 25 moments."""
    workflow, arguments, expected = study
    line, release = arguments(tmp_path), tmp_path / "release"
    chance = random.Random(seed)
    for _ in range(KILLS):
        killed(workflow, line, after(chance.uniform(0, LONGEST)))
        assert not release.exists() or tree(release) == expected
    result = workflow.efface(*line)
    assert result.code == 0, result.said
    assert tree(release) == expected
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_run_that_is_killed_while_it_publishes_leaves_the_same_release_or_none(study, tmp_path):
    workflow, arguments, expected = study
    line, release = arguments(tmp_path), tmp_path / "release"
    killed(workflow, line, when(tmp_path / ".release.part"))
    assert not release.exists() or tree(release) == expected
    result = workflow.efface(*line)
    assert result.code == 0, result.said
    assert tree(release) == expected
