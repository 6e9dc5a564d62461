"""The documents: made from the schemas, and true to the command line."""

import argparse
import re

import pytest
import yaml

from conftest import REPOSITORY
from efface import cli
from efface.settings import CONFIG_SCHEMA

DOCUMENTS = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")])
README = (REPOSITORY / "README.md").read_text()


def lines(properties, required, prefix=""):
    """Yield a row of the reference for each key, nested ones below theirs."""
    for key, rule in properties.items():
        default = (
            "(must be set)"
            if key in required
            else f"`{yaml.safe_dump(rule.get('default'), default_flow_style=True).split(chr(10))[0]}`"
        )
        kind = rule["type"]
        if "properties" in rule:
            yield f"| `{prefix}{key}` | | | {rule['description']} |"
            yield from lines(rule["properties"], rule.get("required", ()), f"{prefix}{key}.")
        else:
            yield f"| `{prefix}{key}` | {kind} | {default} | {rule['description']} |"


def test_the_configuration_reference_is_made_from_the_schema(generated):
    schema = yaml.safe_load(CONFIG_SCHEMA.read_text())
    head = (
        "# Configuration\n\nEvery key of `config.yaml`. Made from `workflow/schemas/config.schema.yaml`;"
        " a key that is not here is refused.\n\n| key | type | default | what |\n|---|---|---|---|\n"
    )
    body = "\n".join(lines(schema["properties"], schema["required"]))
    generated(REPOSITORY / "docs" / "configuration.md", f"{head}{body}\n")


def commands():
    """Return the names and parsers of all commands."""
    (subparsers,) = [one for one in cli.parser()._actions if isinstance(one, argparse._SubParsersAction)]
    return subparsers.choices


@pytest.mark.parametrize("name", commands())
def test_every_command_is_in_the_readme_and_has_help(name):
    assert f"efface {name}" in README
    assert all(action.help for action in commands()[name]._actions if action.option_strings)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target
