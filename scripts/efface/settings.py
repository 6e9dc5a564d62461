"""The checked configuration of a study: defaults filled in, paths that do not lie in one another."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from efface.errors import UsageError
from efface.schema import check, defaults

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOW = REPOSITORY / "workflow"
CONFIG_SCHEMA = WORKFLOW / "schemas" / "config.schema.yaml"
OWN_METHODS = ("atlas", "quickshear")


@dataclass(frozen=True)
class Settings:
    """Where things are, and `config`: the whole configuration with its defaults."""

    input: str
    release: str
    work: str
    key: str
    policy: str
    modalities: str
    atlas: str
    config: dict

    def methods(self) -> list[str]:
        """Return the methods of defacing as the step reads them: a name, or NAME=PROGRAM ARGUMENTS."""
        commands = self.config["deface"]["commands"]
        return [
            f"{name}={shlex.join(commands[name])}" if name in commands else name
            for name in self.config["deface"]["methods"]
        ]


def settings(config: dict) -> Settings:
    """Return the settings in a configuration.

    Raises
    ------
    UsageError
        When the configuration does not follow its schema or its folders lie in one another.
    """
    check(config, CONFIG_SCHEMA, "the configuration")
    config = defaults(config, CONFIG_SCHEMA)
    key = config["key"] or f"{config['work']}/key/secret"
    _apart(config, key)
    policy = config["policy"]
    if "/" not in policy and not policy.endswith(".yaml"):
        policy = str(WORKFLOW / "policies" / f"{policy}.yaml")
    modalities = config["modalities"] or str(WORKFLOW / "modalities.yaml")
    for what, path in (("policy", policy), ("modalities", modalities), ("overrides", config["overrides"])):
        if path and not Path(path).is_file():
            raise UsageError(f"the configuration, {what}", expected="a file", found="none at that path")
    atlas = config["deface"]["atlas"] or str(WORKFLOW / "atlas")
    if not Path(atlas, "template.nii.gz").is_file():
        raise UsageError("the configuration, deface.atlas", expected="an atlas's folder", found="no template")
    known = [*OWN_METHODS, *config["deface"]["commands"]]
    if set(config["deface"]["methods"]) - set(known):
        raise UsageError("the configuration, deface.methods", expected=f"some of {', '.join(known)}")
    return Settings(
        config["input"], config["release"], config["work"], key, policy, modalities, atlas, config
    )


def _apart(config: dict, key: str) -> None:
    folders = {name: Path(config[name]).resolve() for name in ("input", "release", "work")}
    for one, other in (("work", "release"), ("release", "work"), ("input", "release"), ("input", "work")):
        if folders[other].is_relative_to(folders[one]):
            raise UsageError(
                f"the {other} folder lies in the {one} folder or is the same",
                expected="folders apart from one another",
                todo=f"choose another {other} folder",
            )
    if folders["input"].is_relative_to(folders["release"]):
        raise UsageError(
            "the input folder lies in the release folder", expected="folders apart from one another"
        )
    if Path(key).resolve().is_relative_to(folders["release"]):
        raise UsageError(
            "the key lies in the release folder", expected="a private place", todo="set key elsewhere"
        )
