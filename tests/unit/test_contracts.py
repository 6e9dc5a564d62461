"""The promises of the code itself: who imports whom, what a rule has, what no file may hold."""

import ast
import re
import subprocess

import pytest

from conftest import REPOSITORY

SCRIPTS = REPOSITORY / "scripts"
LIBRARY = SCRIPTS / "efface"
STEPS = sorted(SCRIPTS.glob("*.py"))
RULES = sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))

BASE = {"errors", "files", "tables", "grid", "headers", "nifti", "schema", "settings"}
READERS = {
    "atlas",
    "dicom",
    "classify",
    "naming",
    "policy",
    "dates",
    "identity",
    "identifiers",
    "index",
    "crosswalk",
    "deidentification",
    "dictionary",
    "examination",
    "ocr",
    "privates",
    "profile",
    "scanners",
    "schemes",
    "tombstones",
    "template",
    "parts",
    "series",
}
MAKERS = {
    "changes",
    "clinical",
    "description",
    "people",
    "plan",
    "queue",
    "leader",
    "siblings",
    "convert",
    "sidecar",
    "poses",
    "register",
    "facemask",
    "deface",
    "bids",
    "publish",
    "record",
    "removal",
    "subject",
}
JUDGES = {
    "anatomy",
    "brain",
    "fit",
    "wrap",
    "witness",
    "claims",
    "burned",
    "gradients",
    "proof",
    "resampled",
    "share",
    "statements",
    "tiles",
    "turns",
    "leftovers",
    "surface",
    "viewing",
    "measure",
    "outline",
    "sight",
    "picture",
    "audit",
    "evidence",
    "report",
    "review",
}
GLUE = {"cli", "commands", "desk", "erase", "lookup", "run", "server", "study"}
MAY_IMPORT = {
    "base": BASE,
    "readers": BASE | READERS,
    "makers": BASE | READERS | MAKERS,
    "judges": BASE | READERS | JUDGES,
    "glue": BASE | READERS | MAKERS | JUDGES | GLUE,
}
LAYERS = {"base": BASE, "readers": READERS, "makers": MAKERS, "judges": JUDGES, "glue": GLUE}
OUTSIDE = {"snakemake": set(), "argparse": {"cli"}}
# Where the loop from register over mask to measure is closed: deface asks the judge and obeys.
ASKS_A_JUDGE = {("deface", judge) for judge in ("burned", "measure", "picture", "sight", "witness")}


def modules():
    """Yield the concept (module or package) of each library file, and the file."""
    for path in sorted(LIBRARY.rglob("*.py")):
        concept = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
        if concept != "__init__":
            yield concept, path


def imports(path):
    """Return the dotted names that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_module_has_a_layer():
    assert {concept for concept, _ in modules()} <= set().union(*LAYERS.values())


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_run_down_only_and_judges_know_no_maker(layer):
    for concept, path in modules():
        if concept not in LAYERS[layer]:
            continue
        wanted = {
            parts[1] for name in imports(path) if (parts := name.split("."))[0] == "efface" and parts[1:]
        }
        allowed = MAY_IMPORT[layer] | {concept, "__version__"}
        wrong = {one for one in wanted - allowed if (concept, one) not in ASKS_A_JUDGE}
        assert not wrong, f"{path.relative_to(LIBRARY)} imports {sorted(wrong)}"


def test_the_proof_shares_not_even_a_reader_with_the_conversion():
    judge = {"proof", "claims", "gradients", "resampled", "share", "statements", "tiles", "turns"}
    for name in judge:
        wanted = {
            used.split(".")[1] for used in imports(LIBRARY / f"{name}.py") if used.startswith("efface.")
        }
        assert wanted <= BASE | judge


def test_the_judge_of_a_defacing_shares_not_even_a_grid_with_those_who_deface():
    judge = {"measure", "anatomy", "brain", "fit", "outline", "sight", "wrap"}
    for name in judge:
        wanted = {
            used.split(".")[1] for used in imports(LIBRARY / f"{name}.py") if used.startswith("efface.")
        }
        assert wanted <= judge


def test_the_library_knows_neither_the_runner_nor_a_command_line():
    for concept, path in modules():
        for package, allowed in OUTSIDE.items():
            used = {name.split(".")[0] for name in imports(path)}
            assert package not in used or concept in allowed, f"{path} imports {package}"


@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.stem)
def test_a_step_is_a_program(path):
    assert re.fullmatch("[a-z]+_[a-z]+", path.stem)
    source = path.read_text()
    names = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert {"parser", "main"} <= names
    assert source.endswith('if __name__ == "__main__":\n    leave(guarded(main))\n')


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_rule_has_what_every_rule_has(path):
    text = path.read_text()
    for block in re.split(r"^(?=(?:rule|checkpoint) )", text, flags=re.MULTILINE)[1:]:
        name = block.split()[1].rstrip(":")
        for directive in ('"""', "input:", "output:", "log:", "conda:", "resources:", "shell:"):
            assert directive in block, f"{name} lacks {directive}"
        assert "run:" not in block
        assert f'**step("{name}")' in block, f"{name} is not the step of that name"
        assert block.count("lambda") <= 1


def test_what_a_rule_asks_of_the_configuration_reaches_its_program():
    for path in RULES:
        for block in re.split(r"^(?=(?:rule|checkpoint) )", path.read_text(), flags=re.MULTILINE)[1:]:
            head, shell = block.split("    shell:\n")
            params = head.partition("    params:\n")[2]
            wanted = {f"params.{name}" for name in re.findall(r"^ {8}(\w+)=", params, re.MULTILINE)}
            wanted |= {f"input.{name}" for name in ("policy", "scanners") if f" {name}=" in head}
            missing = {name for name in wanted if f"{{{name}" not in shell}
            assert not missing, f"{block.split()[1]} leaves out {sorted(missing)}"


def test_only_the_release_rules_write_to_the_release():
    for path in RULES:
        if path.stem not in ("release", "common"):
            assert "RELEASE" not in path.read_text()


def test_no_wildcard_param_or_log_carries_the_input():
    for path in RULES:
        text = path.read_text()
        assert "settings.input" not in text or path.stem == "common"
        assert set(re.findall(r"\{\{?(\w+)\}", text)) & {"subject", "patient", "study"} == set()


def tracked():
    """Return the text files that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        path = REPOSITORY / name
        if path.is_file() and path.suffix not in (".gz", ".png"):
            yield path, path.read_text(encoding="utf-8")


def test_no_scan_and_nothing_large_is_tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        path = REPOSITORY / name
        if path.is_file():
            data = path.read_bytes()
            assert len(data) < 1 << 20, name
            assert data[128:132] != b"DICM", name


def test_the_right_word_is_used_everywhere():
    word = re.compile("anonymi" + "[sz]ed", re.IGNORECASE)
    for path, text in tracked():
        lines = [line for line in text.splitlines() if word.search(line)]
        assert not lines, f"{path}: say de-identified: {lines[:1]}"


def test_no_comment_is_a_banner():
    for path, text in tracked():
        if path.suffix in (".py", ".smk"):
            assert not re.search(r"^\s*#\s*[-=#*]{4,}", text, re.MULTILINE), path
