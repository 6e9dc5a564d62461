"""The checked configuration of a study: defaults filled in, paths that do not lie in one another."""

import copy
import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from efface.errors import UsageError
from efface.schema import check, defaults

REPOSITORY = Path(__file__).resolve().parents[2]
WORKFLOW = REPOSITORY / "workflow"
CONFIG_SCHEMA = WORKFLOW / "schemas" / "config.schema.yaml"
# Levels of release, each with those below it: time period, kind of examination, diagnosis, the rest.
PERIOD, EXAMINATION, DIAGNOSIS, FURTHER = 3, 4, 5, 6
# A path may hold a name: these files are inputs of a step, no params.
_FILES = ("table", "dictionary", "second_key")
_PATHS = {
    "": ("input", "release", "work", "allow", "key", "modalities", "overrides", "scanners"),
    "deface": ("atlas",),
    "identity": ("second_key",),
    "participants": ("table", "dictionary"),
    "phenotype": ("table", "dictionary"),
}
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

    def study(self, *names: str) -> str:
        """Return some keys of the configuration in JSON, as steps read them, without names of files."""
        chosen = {name: self.config[name] for name in names}
        without = {
            name: {key: value for key, value in part.items() if key not in _FILES}
            if isinstance(part, dict)
            else part
            for name, part in chosen.items()
        }
        return json.dumps(without, sort_keys=True)

    def tables(self) -> dict[str, tuple[str, str]]:
        """Return the clinical tables by their names in the release, each with its dictionary."""
        own = self.config["participants"]
        named = {"participants": (own["table"], own["dictionary"])} if own["table"] else {}
        return named | {one["name"]: (one["table"], one["dictionary"]) for one in self.config["phenotype"]}

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
    policy = policy_file(config["policy"])
    modalities = config["modalities"] or str(WORKFLOW / "modalities.yaml")
    files = {"policy": policy, "modalities": modalities, "overrides": config["overrides"]}
    files |= {
        "allow": config["allow"],
        "identity.second_key": config["identity"]["second_key"],
        "scanners": config["scanners"],
    }
    files |= {"participants.table": config["participants"]["table"]}
    files |= {"participants.dictionary": config["participants"]["dictionary"]}
    for number, one in enumerate(config["phenotype"]):
        files |= {f"phenotype.{number}.{what}": one[what] for what in ("table", "dictionary")}
    for what, path in files.items():
        if path and not Path(path).is_file():
            raise UsageError(f"the configuration, {what}", expected="a file", found="none at that path")
    atlas = config["deface"]["atlas"] or str(WORKFLOW / "atlas")
    if not Path(atlas, "template.nii.gz").is_file():
        raise UsageError("the configuration, deface.atlas", expected="an atlas's folder", found="no template")
    known = [*OWN_METHODS, *config["deface"]["commands"]]
    if set(config["deface"]["methods"]) - set(known):
        raise UsageError("the configuration, deface.methods", expected=f"some of {', '.join(known)}")
    own, names = config["participants"], [one["name"] for one in config["phenotype"]]
    if bool(own["table"]) != bool(own["dictionary"]):
        raise UsageError(
            "the configuration, participants", expected="a table and its dictionary", found="one"
        )
    if len(set(names)) < len(names) or "participants" in names:
        raise UsageError("the configuration, phenotype", expected="names that differ, none participants")
    if config["text"]["blank"] and not config["text"]["ocr"]:
        # Headers of an odd position (prone) mirror the slice: only the search tells whether the text is gone.
        raise UsageError("the configuration, text.blank", expected="text.ocr too", todo="set text.ocr: true")
    if config["dates"]["mode"] == "order" and config["dates"]["period"]:
        raise UsageError("the configuration, dates", expected="either mode order or a period", found="both")
    if config["dates"]["period"] and config["level"] < PERIOD:
        raise UsageError(
            "the configuration, dates.period",
            expected=f"level {PERIOD} or more",
            found=f"level {config['level']}",
            todo="raise the level or set dates.period to 0",
        )
    return Settings(
        config["input"], config["release"], config["work"], key, policy, modalities, atlas, config
    )


def policy_file(named: str) -> str:
    """Return the path of a policy: of one of ours by its name, else what was named."""
    own = "/" not in named and not named.endswith(".yaml")
    return str(WORKFLOW / "policies" / f"{named}.yaml") if own else named


def resolved(config: dict, folder: Path) -> dict:
    """Return a configuration with its paths made absolute; the schema judges what is no path."""
    config = copy.deepcopy(config)
    policy = str(config.get("policy") or "")
    _resolve(config, folder, *["policy"] * (policy_file(policy) == policy))
    for part, keys in _PATHS.items():
        below = config.get(part) if part else config
        for one in below if isinstance(below, list) else [below]:
            _resolve(one, folder, *keys)
    return config


def _resolve(part: object, folder: Path, *keys: str) -> None:
    for key in keys if isinstance(part, dict) else ():
        if isinstance(part.get(key), str) and part[key]:
            part[key] = str((folder / part[key]).resolve())


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
    for name, secret in (("key", key), ("identity.second_key", config["identity"]["second_key"])):
        if secret and Path(secret).resolve().is_relative_to(folders["release"]):
            raise UsageError(
                "the key lies in the release folder", expected="a private place", todo=f"set {name} elsewhere"
            )
