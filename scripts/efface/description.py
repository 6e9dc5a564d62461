"""What a dataset says of itself: dataset_description.json and README, worded as the study was configured."""

from pathlib import Path

import jinja2

from efface import __version__
from efface.dates import OLDEST_AGE
from efface.settings import WORKFLOW
from efface.tables import write_json

BIDS_VERSION = "1.10.1"

# CT and SWI have no place in BIDS yet; MANIFEST.tsv is efface's own. The patterns are the validator's.
_IGNORED = ("MANIFEST.tsv", "**/ct", "*_ct.*", "**/swi", "*_swi.*", "*_GRE.*", "*_minIP.*")

_CHANGES = """1.0.0
  - First release.
"""


def describe(bids: Path, config: dict) -> None:
    """Write dataset_description.json, README.md, CHANGES and .bidsignore.

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
    texts = {
        "README.md": _readme(config),
        "CHANGES": _CHANGES,
        ".bidsignore": "".join(f"{pattern}\n" for pattern in _IGNORED),
    }
    for name, text in texts.items():
        (bids / name).write_text(text, encoding="utf-8")


def _readme(config: dict) -> str:
    template = (WORKFLOW / "templates" / "README.md").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(template).render(
        name=config["dataset"]["name"],
        terms=config["dataset"]["terms"].strip(),
        version=__version__,
        mode=config["mode"],
        scheme=config["identity"]["scheme"],
        dates=config["dates"]["mode"],
        sessions=config["dates"]["sessions"],
        age=config["participants"]["age"],
        age_bin=config["participants"]["age_bin"],
        oldest=OLDEST_AGE,
    )
