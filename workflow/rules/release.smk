"""From checked images to a release: the only rules whose outputs may be public.

Needs   the plan, proofs, defaced images and checks of all images; what the index says identifies; WORK/review/review.tsv
Gives   WORK/review/required.tsv, WORK/bids (staged), WORK/outcome.tsv, WORK/audit/findings.tsv, WORK/report, RELEASE
Steps   ask_review, stage_bids, audit_release (always succeeds), publish_release (refuses), write_report
"""


rule ask_review:
    """List who must look at which image, and what was decided on it as it is now."""
    input:
        **step("ask_review"),
        images=f"{WORK}/plan/images.tsv",
        records=rules.plan_images.output.records,
        proofs=of_images(f"{WORK}/proof/{{image}}.json"),
        checks=of_images(f"{WORK}/check/{{image}}.json"),
        policy=settings.policy,
        scanners=SCANNERS,
        key=[] if ANONYMOUS else KEY,
        queue=first_series(f"{WORK}/review/queue.tsv"),
        decisions=decisions,
    output:
        required=f"{WORK}/review/required.tsv",
    log:
        f"{WORK}/logs/ask_review.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=30,
    params:
        plan=folder_of("images"),
        proofs=f"{WORK}/proof",
        checks=f"{WORK}/check",
        level=settings.config["level"],
        mode=settings.config["review"]["mode"],
        share=settings.config["review"]["share"],
    shell:
        "python {input.script:q}"
        " --plan {params.plan:q} --proofs {params.proofs:q} --checks {params.checks:q}"
        " --policy {input.policy:q} --level {params.level} --scanners={input.scanners:q}"
        " --key={input.key:q} --mode {params.mode} --share {params.share}"
        " --queue={input.queue:q} --decisions={input.decisions:q}"
        " --required {output.required:q} 2> {log:q}"


# No directory() output: Snakemake would leave a time stamp in it. The step itself replaces the whole folder.
BIDS = f"{WORK}/bids"


checkpoint stage_bids:
    """Gather what is proved and defaced into a BIDS dataset, and say of every series what became of it."""
    input:
        **step("stage_bids"),
        images=f"{WORK}/plan/images.tsv",
        skipped=rules.index_series.output.skipped,
        participants=f"{WORK}/plan/participants.tsv",
        proofs=of_images(f"{WORK}/proof/{{image}}.json"),
        sidecars=of_images(f"{WORK}/nifti/{{image}}.json"),
        b_values=of_images(f"{WORK}/nifti/{{image}}.bval"),
        directions=of_images(f"{WORK}/nifti/{{image}}.bvec"),
        checks=of_images(f"{WORK}/check/{{image}}.json"),
        defaced=of_images(f"{WORK}/defaced/{{image}}.nii.gz"),
        review=rules.ask_review.output.required,
        policy=settings.policy,
        scanners=SCANNERS,
        tables=[f"{WORK}/tables/{name}.tsv" for name in TABLES],
        columns=[f"{WORK}/tables/{name}.json" for name in TABLES],
        readme=str(WORKFLOW / "templates" / "README.md"),
    output:
        description=f"{WORK}/bids/dataset_description.json",
        outcome=f"{WORK}/outcome.tsv",
        manifest=f"{WORK}/staged.tsv",
    log:
        f"{WORK}/logs/stage_bids.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=120,
    params:
        work=folder_of("outcome"),
        bids=folder_of("description"),
        release=RELEASE,
        study=settings.study(
            *(
                "dataset",
                "mode",
                "identity",
                "dates",
                "level",
                "participants",
                "convert",
                "deface",
                "review",
            )
        ),
    shell:
        "python {input.script:q}"
        " --work {params.work:q} --study {params.study:q} --policy {input.policy:q}"
        " --scanners={input.scanners:q} --tables {input.tables:q} --review {input.review:q}"
        " --release {params.release:q}"
        " --bids {params.bids:q} --outcome {output.outcome:q} --manifest {output.manifest:q}"
        " 2> {log:q}"


rule audit_release:
    """Search the staged dataset for everything that identifies, and validate it."""
    input:
        **step("audit_release"),
        staged=rules.stage_bids.output.manifest,
        outcome=rules.stage_bids.output.outcome,
        identifiers=rules.index_series.output.identifiers,
        policy=settings.policy,
        scanners=SCANNERS,
        tables=[table for table, _ in TABLES.values()],
        dictionaries=[dictionary for _, dictionary in TABLES.values()],
        validator=str(WORKFLOW / "schemas" / "bids-validator.json"),
        checks=of_images(f"{WORK}/check/{{image}}.json"),
        key=[KEY, *SECOND_KEY],
        crosswalk=[CROSSWALK] if crosswalk() else [],
        allow=ALLOW,
    output:
        findings=f"{WORK}/audit/findings.tsv",
        k_anonymity=f"{WORK}/audit/k_anonymity.tsv",
    log:
        f"{WORK}/logs/audit_release.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=240,
    params:
        bids=BIDS,
        checks=f"{WORK}/check",
        plan=f"{WORK}/plan/images",
        level=settings.config["level"],
        k_min=settings.config["participants"]["k_min"],
    shell:
        "python {input.script:q}"
        " --bids {params.bids:q} --plan {params.plan:q} --identifiers {input.identifiers:q}"
        " --keys {input.key:q} --crosswalk={input.crosswalk:q} --allow={input.allow:q}"
        " --policy {input.policy:q} --level {params.level} --scanners={input.scanners:q}"
        " --tables {input.tables:q} --dictionaries {input.dictionaries:q} --k-min {params.k_min}"
        " --checks {params.checks:q} --outcome {input.outcome:q}"
        " --findings {output.findings:q} --k-anonymity {output.k_anonymity:q} 2> {log:q}"


rule publish_release:
    """Copy the audited dataset to the release, or refuse."""
    input:
        **step("publish_release"),
        staged=rules.stage_bids.output.manifest,
        outcome=rules.stage_bids.output.outcome,
        findings=rules.audit_release.output.findings,
        review=rules.ask_review.output.required,
        waiting=waiting_for_people(
            KEY,
            rules.index_series.output.skipped,
            rules.index_series.output.identifiers,
            rules.queue_review.output.queue,
            rules.plan_images.output.doubts,
            *[CROSSWALK] * bool(crosswalk()),
        ),
    output:
        manifest=update(f"{RELEASE}/MANIFEST.tsv"),
    log:
        f"{WORK}/logs/publish_release.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=500,
        runtime=240,
    params:
        bids=BIDS,
        release=folder_of("manifest"),
        record=f"{WORK}/publish/record.json",
    shell:
        "python {input.script:q}"
        " --bids {params.bids:q} --findings {input.findings:q} --outcome {input.outcome:q}"
        " --staged {input.staged:q} --review {input.review:q} --release {params.release:q} --record {params.record:q} 2> {log:q}"


rule write_report:
    """Write the private report, which shows faces, and the public one, which does not."""
    input:
        **step("write_report"),
        staged=rules.stage_bids.output.manifest,
        outcome=rules.stage_bids.output.outcome,
        findings=rules.audit_release.output.findings,
        proofs=of_images(f"{WORK}/proof/{{image}}.json"),
        checks=of_images(f"{WORK}/check/{{image}}.json"),
        pictures=of_images(f"{WORK}/check/{{image}}.png"),
        review=rules.ask_review.output.required,
        queue=f"{WORK}/review/queue.tsv",
        k_anonymity=rules.audit_release.output.k_anonymity,
        scanners=SCANNERS,
        templates=sorted(map(str, WORKFLOW.glob("templates/*.html"))),
    output:
        private=f"{WORK}/report/index.html",
        public=f"{WORK}/report/release_report.html",
    log:
        f"{WORK}/logs/write_report.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        bids=BIDS,
        checks=f"{WORK}/check",
        proofs=f"{WORK}/proof",
        plan=f"{WORK}/plan/images",
        release=RELEASE,
    shell:
        "python {input.script:q}"
        " --outcome {input.outcome:q} --findings {input.findings:q} --checks {params.checks:q}"
        " --proofs {params.proofs:q} --bids {params.bids:q} --release {params.release:q}"
        " --review {input.review:q} --queue {input.queue:q} --k-anonymity {input.k_anonymity:q} --scanners={input.scanners:q}"
        " --plan {params.plan:q} --out {output.private:q} --public {output.public:q} 2> {log:q}"
