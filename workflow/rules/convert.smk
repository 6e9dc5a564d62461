"""From the files of a series to a volume with its sidecar, and the proof that it is right.

Needs   WORK/plan/images/IMAGE.json, the list of the series' files, the sidecar policy
Gives   WORK/nifti/IMAGE.nii.gz (temporary), .json, .bval and .bvec, WORK/proof/IMAGE.json; all but the
        proof empty when held, .bval and .bvec also where there is no diffusion
"""


rule convert_series:
    """Convert one series, write its sidecar and prove the voxels."""
    input:
        **step("convert_series"),
        plan=f"{WORK}/plan/images/{{image}}.json",
        files=series_files,
        policy=settings.policy,
        scanners=SCANNERS,
    output:
        image=temp(f"{WORK}/nifti/{{image}}.nii.gz"),
        sidecar=f"{WORK}/nifti/{{image}}.json",
        bval=f"{WORK}/nifti/{{image}}.bval",
        bvec=f"{WORK}/nifti/{{image}}.bvec",
        proof=f"{WORK}/proof/{{image}}.json",
    log:
        f"{WORK}/logs/convert_series/{{image}}.log",
    benchmark:
        f"{WORK}/benchmarks/convert_series/{{image}}.tsv"
    group:
        "image"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=60,
    params:
        engine=settings.config["convert"]["engine"],
        level=settings.config["level"],
    shell:
        "python {input.script:q} --engine {params.engine}"
        ' --plan {input.plan:q} --files {input.files:q} --input "$EFFACE_INPUT" --policy {input.policy:q}'
        " --level {params.level} --scanners={input.scanners:q}"
        " --out {output.image:q} --sidecar {output.sidecar:q}"
        " --bval {output.bval:q} --bvec {output.bvec:q} --proof {output.proof:q}"
        " 2> {log:q}"
