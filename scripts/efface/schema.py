"""Files that people write, checked against closed JSON schemas; what is wrong is said in one line."""

import copy
import difflib
import functools
from pathlib import Path

import yaml

from efface.errors import UsageError


def read(path: Path | str, schema: Path | str, name: str) -> object:
    """Return the document in a YAML file that is called `name`, once it was checked.

    Raises
    ------
    UsageError
        When it is no YAML, has a key twice, or does not follow the schema.
    """
    try:
        document = yaml.load(Path(path).read_text(encoding="utf-8"), _EachKeyOnce)
    except _Twice as twice:
        raise UsageError(
            f"{name}: a key of line {twice.args[0]} or below stands twice", todo="keep one"
        ) from None
    except (yaml.YAMLError, ValueError):  # a date that is none is a ValueError
        raise UsageError(name, expected="YAML in UTF-8", found="a syntax error") from None
    check(document, schema, name)
    return document


class _Twice(Exception):
    """A key stands twice in the mapping that begins on this line."""


class _EachKeyOnce(yaml.SafeLoader):
    """Of two equal keys PyYAML takes the last one without a word."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(set(map(str, keys))) < len(keys):
            raise _Twice(node.start_mark.line + 1)
        return super().construct_mapping(node, deep)


def check(document: object, schema: Path | str, name: str) -> None:
    """Check a document that was read from the file called `name`.

    Raises
    ------
    UsageError
        With the place of the first fault and, for a misspelt key, the nearest right one.
    """
    import jsonschema  # slow to import, and only configurations are checked

    faults = jsonschema.Draft202012Validator(_rules(schema)).iter_errors(document)
    fault = jsonschema.exceptions.best_match(faults)
    if fault is None:
        return
    place = ".".join(str(step) for step in fault.absolute_path) or "the top level"
    if fault.validator == "additionalProperties":
        known = list(fault.schema.get("properties", {}))
        unknown = next(key for key in fault.instance if key not in known)
        near = difflib.get_close_matches(str(unknown), known, n=1)
        raise UsageError(
            f"{name}, {place}: unknown key '{unknown}'",
            todo=f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}",
        )
    if fault.validator == "required":
        missing = next(key for key in fault.validator_value if key not in fault.instance)
        about = fault.schema.get("properties", {}).get(missing, {}).get("description", "")
        raise UsageError(
            f"{name}, {place}: '{missing}' is missing", todo=f"set it: {about}" if about else "set it"
        )
    about = fault.schema.get("description", "") if isinstance(fault.schema, dict) else ""
    raise UsageError(f"{name}, {place}: {_said(fault)}", todo=about)


def _said(fault) -> str:
    wanted = fault.validator_value
    if fault.validator == "type":
        return f"expected {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    if fault.validator == "enum":
        return f"expected one of {', '.join(str(one) for one in wanted)}"
    return f"does not meet '{fault.validator}: {wanted}'"


def defaults(document: dict, schema: Path | str) -> dict:
    """Return the document with the defaults of its schema filled in at every depth."""
    return _filled(document, _rules(schema))


@functools.cache
def _rules(schema: Path | str) -> dict:
    return yaml.safe_load(Path(schema).read_text(encoding="utf-8"))


def _filled(document: dict, rules: dict) -> dict:
    filled = dict(document)
    for key, rule in rules.get("properties", {}).items():
        if key not in filled and "default" in rule:
            filled[key] = copy.deepcopy(rule["default"])
        if isinstance(filled.get(key), dict):
            filled[key] = _filled(filled[key], rule)
    return filled
