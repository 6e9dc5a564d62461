"""efface: a folder of head scans in DICOM to a BIDS dataset that can be published."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "workflow/rules/common.smk"


WORK, RELEASE, KEY = settings.work, settings.release, settings.key


wildcard_constraints:
    image="sub-[A-Za-z0-9]+_[A-Za-z0-9_-]+",


include: "workflow/rules/index.smk"
include: "workflow/rules/convert.smk"
include: "workflow/rules/deface.smk"
include: "workflow/rules/release.smk"


localrules:
    all,
    make_key,


rule all:
    """Publish what may be published, and report on everything."""
    default_target: True
    input:
        f"{WORK}/report/index.html",
        published,


onsuccess:
    # Snakemake touches what a job has made; a release shows no time of day.
    if Path(RELEASE, "MANIFEST.tsv").exists():
        timeless(Path(RELEASE, "MANIFEST.tsv"))
