"""What a dataset says of itself: dataset_description.json and README, worded as the study was configured."""

from collections.abc import Mapping
from pathlib import Path

import jinja2

from efface import __version__
from efface.dates import OLDEST_AGE
from efface.settings import WORKFLOW
from efface.tables import write_json

BIDS_VERSION = "1.10.1"

# CT and SWI have no place in BIDS yet; manifest and record are ours. The patterns are the validator's.
_IGNORED = (
    *("MANIFEST.tsv", "release_record.json"),
    *("**/ct", "*_ct.*", "**/swi", "*_swi.*", "*_GRE.*", "*_minIP.*"),
)
_LABELS = {
    "random": "are random; no table of them was kept",
    "random_table": "are random; a table of them is kept where the scans were made",
    "encrypted": "are encrypted; the key is kept where the scans were made",
    "hmac": "are keyed pseudonyms; the key is kept where the scans were made",
    "template": "are keyed pseudonyms; the key is kept where the scans were made",
}
_DATES = {
    "shift": (
        "Dates were shifted, for each person by another number of days: intervals are true, dates are not."
    ),
    "proportional": (
        "Dates were shifted, and for each person intervals were stretched or shortened: the order is true, "
        "dates and intervals are not."
    ),
    "order": "Dates were left behind; the labels of sessions do not tell their order.",
}


def describe(bids: Path, config: dict) -> None:
    """Write dataset_description.json, README.md and .bidsignore.

    Parameters
    ----------
    bids : Path
        The dataset's folder.
    config : dict
        The configuration with its defaults.
    """
    dataset = config["dataset"]
    description = {
        "Name": dataset["name"],
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "License": dataset["license"],
        "Authors": dataset["authors"],
        "Acknowledgements": dataset["acknowledgements"],
        "EthicsApprovals": [dataset["ethics"]] if dataset["ethics"] else [],
        "GeneratedBy": [{"Name": "efface", "Version": __version__}],
    }
    write_json(bids / "dataset_description.json", {key: value for key, value in description.items() if value})
    texts = {"README.md": _readme(config), ".bidsignore": "".join(f"{pattern}\n" for pattern in _IGNORED)}
    for name, text in texts.items():
        (bids / name).write_text(text, encoding="utf-8")


def labels(config: Mapping) -> str:
    """Return the sentence that says what the labels of subjects are, and whether a way back was kept."""
    if config["mode"] == "anonymous":
        return "Subject labels lead back to nobody: neither a key nor a table of labels was kept."
    return f"Subject labels {_LABELS[config['identity']['scheme']]}."


def days(config: Mapping) -> str:
    """Return the sentence that says what is left of dates."""
    order = "days" if config["dates"]["sessions"] == "day" else "studies"
    none = f"Dates were left behind; sessions are numbered in the order of their {order}."
    return _DATES.get(config["dates"]["mode"], none)


def ages(config: Mapping) -> str:
    """Return the sentence that says how ages are given, an empty text when they are not."""
    people = config["participants"]
    if not people["age"]:
        return ""
    width = people["age_bin"]
    binned = f", as the youngest year of a bin of {width} years" if width > 1 else ""
    return f"Ages are in whole years{binned}; {OLDEST_AGE} stands for {OLDEST_AGE} and older."


def _readme(config: dict) -> str:
    template = (WORKFLOW / "templates" / "README.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(template).render(
        name=config["dataset"]["name"],
        terms=config["dataset"]["terms"].strip(),
        version=__version__,
        choices=[sentence for sentence in (labels(config), days(config), ages(config)) if sentence],
    )
