"""Search the staged dataset for everything that identifies, and write what is found as a table."""

import argparse
from pathlib import Path

import yaml

from efface.audit import COLUMNS, WARN, Finding, allow, audit, clinic, private, smallcells
from efface.dictionary import read_dictionary
from efface.errors import EffaceError, guarded, leave
from efface.settings import FURTHER
from efface.tables import read_json, read_tsv, write_tsv


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bids", type=Path, required=True, help="the staged dataset")
    parser.add_argument("--identifiers", type=Path, required=True, help="table of values not to be found")
    parser.add_argument("--keys", type=Path, nargs="*", default=[], help="secrets of the study")
    parser.add_argument("--crosswalk", default="", help="table from label to source ID, where it is kept")
    parser.add_argument("--policy", type=Path, required=True, help="allow-list of sidecar keys, YAML")
    parser.add_argument(
        "--level", type=int, default=FURTHER, help="keys of a higher level are not allowed (6)"
    )
    parser.add_argument("--scanners", default="", help="what a person has allowed of scanners, YAML")
    parser.add_argument(
        "--tables", type=Path, nargs="*", default=[], help="clinical tables, as they were given"
    )
    parser.add_argument("--dictionaries", type=Path, nargs="*", default=[], help="their dictionaries, YAML")
    parser.add_argument(
        "--k-min", type=int, default=1, help="how many people must share what is told of them"
    )
    parser.add_argument("--k-anonymity", type=Path, help="the table of how many do, to write")
    parser.add_argument("--plan", type=Path, help="folder of the plan's records, IMAGE.json each")
    parser.add_argument("--allow", default="", help="table of findings that are false alarms")
    parser.add_argument("--checks", type=Path, required=True, help="folder of the measures, IMAGE.json each")
    parser.add_argument("--outcome", type=Path, required=True, help="table of what became of every series")
    parser.add_argument("--findings", type=Path, required=True, help="the table to write")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Write the findings, blocking ones first."""
    args = parser().parse_args(argv)
    outcome = read_tsv(args.outcome, ("image", "decision"))
    given = list(zip(args.tables, args.dictionaries, strict=True))
    identifiers = read_tsv(args.identifiers, ("kind", "attribute", "value"))
    identifiers += [row for table, dictionary in given for row in clinic.identifiers(table, dictionary)]
    identifiers += private.secrets(args.crosswalk or None, args.keys)
    findings = audit(
        args.bids,
        identifiers,
        policy=_policy(args.policy, args.level, args.scanners, args.plan),
        checks=args.checks,
        days=private.order(args.crosswalk) if args.crosswalk else None,
        released={row["image"] for row in outcome if row["decision"] == "release"},
    )
    quasi = {name for _, dictionary in given for name in read_dictionary(dictionary).quasi}
    cells = smallcells.smallcells(args.bids, quasi)
    findings = [*smallcells.findings(cells, args.k_min), *_without_ethics(args.bids), *findings]
    findings = allow.apply(findings, allow.read(args.allow) if args.allow else [])
    if args.k_anonymity:
        write_tsv(args.k_anonymity, (row._asdict() for row in cells), smallcells.Cells._fields)
    write_tsv(args.findings, (finding._asdict() for finding in findings), COLUMNS)


def _without_ethics(bids: Path) -> list[Finding]:
    if read_json(bids / "dataset_description.json").get("EthicsApprovals"):
        return []
    what, advice = "no reference of an ethics approval", "set dataset.ethics in the configuration"
    return [Finding("metadata", WARN, "dataset_description.json", "key EthicsApprovals", what, advice)]


def _policy(path: Path, level: int, scanners: str, plan: Path | None) -> dict[str, dict]:
    keys = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("keys")
    if not isinstance(keys, dict) or not keys:
        raise EffaceError(f"policy {path.name}", expected="keys, each with a reason", found="none")
    keys = {name: rule for name, rule in keys.items() if rule.get("level", 1) <= level}
    for scanner in yaml.safe_load(Path(scanners).read_text(encoding="utf-8")) if scanners else ():
        keys |= {rule["key"]: rule for rule in scanner.get("private", ())}
    # What the configuration says of an image is the user's own word: any value, but still searched.
    records = [read_json(record) for record in sorted(plan.glob("*.json"))] if plan else []
    own = {key: {} for record in records for key in record.get("metadata", {})}
    return keys | {"TaskName": {}} | own


if __name__ == "__main__":
    leave(guarded(main))
