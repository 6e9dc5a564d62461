"""A study's configuration, checked with every file that it names before anything runs."""

from pathlib import Path

import yaml

from efface import dictionary, ocr, policy, review, scanners, schemes
from efface.errors import UsageError
from efface.files import private_folder, replacing
from efface.settings import Settings, resolved, settings

_HEAD = "# Made by efface: the configuration of the last run. Edit your own file, not this one.\n"


def checked(config: dict) -> Settings:
    """Return the settings in a configuration.

    Raises
    ------
    UsageError
        When the configuration, its policy, its scanners or a dictionary cannot be, or do not go together.
    """
    chosen = settings(config)
    schemes.refuse(chosen.config["mode"], chosen.config["identity"])
    if chosen.config["text"]["ocr"] and not ocr.available():
        raise UsageError(
            "text.ocr", expected="rapidocr-onnxruntime", found="none", todo="install efface[text]"
        )
    _refuse_without_pilot(chosen)
    if chosen.config["allow"]:
        from efface.audit import allow  # with what the audit searches with, slow to import

        allow.read(chosen.config["allow"])
    kept = {key.name for key in policy.load(Path(chosen.policy)).keys}
    if chosen.config["scanners"]:
        profiles = scanners.read(chosen.config["scanners"]).profiles
        if twice := sorted(kept & {rule.key.name for one in profiles for rule in one.private}):
            raise UsageError(f"the registry of scanners, key {twice[0]}", expected="a key the policy lacks")
    for _, path in chosen.tables().values():
        columns = dictionary.read_dictionary(Path(path))
        columns.refuse_above(chosen.config["level"])
        _refuse_days(columns, chosen.config["dates"]["mode"])
    return chosen


def save(chosen: Settings) -> Path:
    """Write the configuration to the work folder, for what a person does there later; return its path."""
    path = private_folder(chosen.work) / "study.yaml"
    config = resolved(chosen.config, Path.cwd())
    with replacing(path) as beside:
        text = yaml.safe_dump(config, sort_keys=True, allow_unicode=True)
        beside.write_text(_HEAD + text, encoding="utf-8")
    return path


def standing(work: Path) -> Settings:
    """Return the settings of the study in a work folder.

    Raises
    ------
    UsageError
        When no run was started with that work folder.
    """
    path = Path(work, "study.yaml")
    if not path.is_file():
        raise UsageError(
            "the work folder", expected="a folder of a run, with study.yaml", found="none", todo="set --work"
        )
    return settings(yaml.safe_load(path.read_text(encoding="utf-8")))


def _refuse_without_pilot(chosen: Settings) -> None:
    """Refuse to look at a sample before all of a pilot were looked at under the same policy, and signed."""
    if chosen.config["review"]["mode"] != "scale":
        return
    digest = review.policy_digest(chosen.policy, chosen.config["level"], chosen.config["scanners"])
    signs = [one for one in review.read(Path(chosen.work, "review", "review.tsv")) if one["item"] == "pilot"]
    if not any(one["policy_sha256"] == digest and one["decision"] == review.ACCEPT for one in signs):
        raise UsageError(
            "review.mode scale",
            expected="the signed row of a pilot under this policy in work/review/review.tsv",
            found="one under another policy" if signs else "none",
            todo="set review.mode to pilot first; docs/review.md",
        )


def _refuse_days(columns: dictionary.Dictionary, mode: str) -> None:
    """Refuse true intervals beside dates that promise none."""
    days = [column for column in columns.columns if column.rule.get("as") == "days"]
    if days and mode in ("proportional", "order"):
        raise UsageError(
            f"dictionary {columns.file}, column {days[0].source}",
            expected=f"no days beside dates.mode {mode}: they are true intervals",
            todo="map the column to an age or drop it",
        )
