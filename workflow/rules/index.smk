"""From a folder of DICOM to a plan.

Needs   the input folder, the rules of modalities.yaml, a person's overrides, clinical tables
Gives   WORK/index (series, their files, what identifies), WORK/plan (images, their records, people),
        WORK/review (what a person should look at), WORK/tables
Steps   make_key once, index_series (new folders: make index), plan_images, queue_review, import_tables
"""


rule make_key:
    """Make the study's secret, or leave the one that stands."""
    input:
        **step("make_key"),
    output:
        temp(KEY) if ANONYMOUS else update(KEY),
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
        series=passing(f"{WORK}/index/series.tsv"),
        attributes=passing(f"{WORK}/index/attributes.json"),
        parts=passing(f"{WORK}/index/parts.json"),
        identifiers=passing(f"{WORK}/index/identifiers.tsv"),
        skipped=passing(f"{WORK}/index/skipped.tsv"),
        files=passing(directory(f"{WORK}/index/files")),
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
        # No input: an erasure takes out what is there, and need not read every header again.
        erased=ERASED,
    shell:
        "python {input.script:q}"
        ' --input "$EFFACE_INPUT" --key {input.key:q} --erased {params.erased:q} --out {params.out:q} --workers {threads}'
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
        vocabulary=str(WORKFLOW / "vocabulary.yaml"),
        overrides=[settings.config["overrides"]] if settings.config["overrides"] else [],
        scanners=SCANNERS,
        second_key=SECOND_KEY,
    output:
        **crosswalk(),
        images=f"{WORK}/plan/images.tsv",
        participants=f"{WORK}/plan/participants.tsv",
        doubts=passing(f"{WORK}/plan/doubts.tsv"),
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
        erased=ERASED,
        crosswalk=crosswalk_path,
        study=settings.study(
            *(
                "level",
                "identity",
                "dates",
                "participants",
                "task",
                "names",
                "metadata",
            )
        ),
    shell:
        "python {input.script:q}"
        " --index {params.index:q} --key {input.key:q} --modalities {input.modalities:q}"
        " --vocabulary {input.vocabulary:q} --overrides={input.overrides:q}"
        " --scanners={input.scanners:q} --second-key={input.second_key:q}"
        " --erased {params.erased:q} --study={params.study:q} --out {params.out:q} --crosswalk={params.crosswalk:q}"
        " 2> {log:q}"


rule queue_review:
    """List what a person should look at: new scanners and values, free text, doubts about people."""
    input:
        **step("queue_review"),
        attributes=rules.index_series.output.attributes,
        images=f"{WORK}/plan/images.tsv",
        doubts=f"{WORK}/plan/doubts.tsv",
        policy=settings.policy,
        scanners=SCANNERS,
        vocabulary=str(WORKFLOW / "vocabulary.yaml"),
    output:
        queue=passing(f"{WORK}/review/queue.tsv"),
        proposal=passing(f"{WORK}/review/scanners.yaml"),
    log:
        f"{WORK}/logs/queue_review.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        index=folder_of("attributes"),
        plan=folder_of("images"),
        level=settings.config["level"],
    shell:
        "python {input.script:q}"
        " --index {params.index:q} --plan {params.plan:q} --doubts {input.doubts:q} --policy {input.policy:q}"
        " --level {params.level} --scanners={input.scanners:q} --vocabulary {input.vocabulary:q}"
        " --out {output.queue:q} --proposal {output.proposal:q} 2> {log:q}"


rule import_tables:
    """Bring a clinical table under the labels of the scans, or refuse it."""
    input:
        unpack(clinical_table),
        **step("import_tables"),
        people=CROSSWALK,
    output:
        table=f"{WORK}/tables/{{table}}.tsv",
        columns=f"{WORK}/tables/{{table}}.json",
    log:
        f"{WORK}/logs/import_tables/{{table}}.log",
    wildcard_constraints:
        table="[a-z][a-z0-9_]*",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=30,
    params:
        level=settings.config["level"],
    shell:
        "python {input.script:q}"
        " --people {input.people:q} --table {input.table:q} --dictionary {input.dictionary:q}"
        " --level {params.level} --out {output.table:q} --columns {output.columns:q} > {log:q} 2>&1"
