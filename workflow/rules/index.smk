"""From a folder of DICOM to a plan.

Needs   the input folder, the rules of modalities.yaml, a person's overrides
Gives   WORK/index (series, their files, what identifies), WORK/plan (images, their records, people)
Steps   make_key once, index_series (new folders: make index), plan_images
"""


rule make_key:
    """Make the study's secret, or leave the one that stands."""
    input:
        **step("make_key"),
    output:
        update(KEY),
    log:
        f"{WORK}/logs/make_key.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=200,
        runtime=5,
    shell:
        "python {input.script:q} --key {output:q} 2> {log:q}"


rule index_series:
    """Read every header of the input, no pixels."""
    input:
        **step("index_series"),
        key=KEY,
    output:
        series=f"{WORK}/index/series.tsv",
        attributes=f"{WORK}/index/attributes.json",
        parts=f"{WORK}/index/parts.json",
        identifiers=f"{WORK}/index/identifiers.tsv",
        skipped=f"{WORK}/index/skipped.tsv",
        files=directory(f"{WORK}/index/files"),
    log:
        f"{WORK}/logs/index_series.log",
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        out=folder_of("series"),
    shell:
        "python {input.script:q}"
        ' --input "$EFFACE_INPUT" --key {input.key:q} --out {params.out:q} --workers {threads}'
        " 2> {log:q}"


checkpoint plan_images:
    """Decide which series become which images."""
    input:
        **step("plan_images"),
        series=rules.index_series.output.series,
        attributes=rules.index_series.output.attributes,
        parts=rules.index_series.output.parts,
        key=KEY,
        modalities=settings.modalities,
        overrides=[settings.config["overrides"]] if settings.config["overrides"] else [],
    output:
        images=f"{WORK}/plan/images.tsv",
        participants=f"{WORK}/plan/participants.tsv",
        crosswalk=f"{WORK}/key/crosswalk.tsv",
        records=directory(f"{WORK}/plan/images"),
    log:
        f"{WORK}/logs/plan_images.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        index=folder_of("series"),
        out=folder_of("images"),
        task=settings.config["task"],
        metadata=json.dumps(settings.config["metadata"], sort_keys=True),
        names=json.dumps(settings.config["names"], sort_keys=True),
    shell:
        "python {input.script:q}"
        " --index {params.index:q} --key {input.key:q} --modalities {input.modalities:q}"
        " --overrides={input.overrides:q}"
        " --task={params.task:q} --metadata {params.metadata:q} --names {params.names:q}"
        " --out {params.out:q}"
        " --crosswalk {output.crosswalk:q} 2> {log:q}"
