"""From checked images to a release: the only rules whose outputs may be public.

Needs   the plan, proofs, defaced images and checks of all images; what the index says identifies
Gives   WORK/bids (staged), WORK/outcome.tsv, WORK/audit/findings.tsv, WORK/report, RELEASE
Steps   stage_bids, audit_release (always succeeds), publish_release (refuses), write_report
"""

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
        dataset=json.dumps(settings.config["dataset"], sort_keys=True),
        columns=" ".join(
            name for name, shown in settings.config["participants"].items() if shown
        ),
    shell:
        "python {input.script:q}"
        " --work {params.work:q} --dataset {params.dataset:q} --participants-columns {params.columns}"
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
        validator=str(WORKFLOW / "schemas" / "bids-validator.json"),
        checks=of_images(f"{WORK}/check/{{image}}.json"),
    output:
        f"{WORK}/audit/findings.tsv",
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
    shell:
        "python {input.script:q}"
        " --bids {params.bids:q} --plan {params.plan:q} --identifiers {input.identifiers:q} --policy {input.policy:q}"
        " --checks {params.checks:q} --outcome {input.outcome:q} --findings {output:q} 2> {log:q}"


rule publish_release:
    """Copy the audited dataset to the release, or refuse."""
    input:
        **step("publish_release"),
        staged=rules.stage_bids.output.manifest,
        outcome=rules.stage_bids.output.outcome,
        findings=rules.audit_release.output,
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
        " --staged {input.staged:q} --release {params.release:q} --record {params.record:q} 2> {log:q}"


rule write_report:
    """Write the private report, which shows faces, and the public one, which does not."""
    input:
        **step("write_report"),
        staged=rules.stage_bids.output.manifest,
        outcome=rules.stage_bids.output.outcome,
        findings=rules.audit_release.output,
        proofs=of_images(f"{WORK}/proof/{{image}}.json"),
        checks=of_images(f"{WORK}/check/{{image}}.json"),
        pictures=of_images(f"{WORK}/check/{{image}}.png"),
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
        release=RELEASE,
    shell:
        "python {input.script:q}"
        " --outcome {input.outcome:q} --findings {input.findings:q} --checks {params.checks:q}"
        " --proofs {params.proofs:q} --bids {params.bids:q} --release {params.release:q}"
        " --out {output.private:q} --public {output.public:q} 2> {log:q}"
