"""From a proved volume to a defaced one with its measures.

Needs   WORK/nifti/IMAGE.nii.gz and .json, WORK/proof/IMAGE.json, the atlas, the check of the session's leader,
        of a phase image or a field map the check and the mask of its magnitude image
Gives   WORK/defaced/IMAGE.nii.gz, WORK/mask/IMAGE.nii.gz, WORK/check/IMAGE.json, pictures and the image as it was in 8 bits; empty images when held
"""


rule deface_image:
    """Register, mask, blank, measure and picture one image."""
    input:
        **step("deface_image"),
        image=f"{WORK}/nifti/{{image}}.nii.gz",
        sidecar=f"{WORK}/nifti/{{image}}.json",
        proof=f"{WORK}/proof/{{image}}.json",
        leader=leader_check,
        twin_check=twin_file(f"{WORK}/check/{{image}}.json"),
        twin_mask=twin_file(f"{WORK}/mask/{{image}}.nii.gz"),
        atlas=sorted(map(str, Path(settings.atlas).glob("*.nii.gz"))),
    output:
        image=f"{WORK}/defaced/{{image}}.nii.gz",
        mask=f"{WORK}/mask/{{image}}.nii.gz",
        check=f"{WORK}/check/{{image}}.json",
        picture=f"{WORK}/check/{{image}}.png",
        release_picture=f"{WORK}/check/{{image}}_release.png",
        before=f"{WORK}/check/{{image}}_before.nii.gz",
    log:
        f"{WORK}/logs/deface_image/{{image}}.log",
    benchmark:
        f"{WORK}/benchmarks/deface_image/{{image}}.tsv"
    group:
        "image"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=60,
    params:
        atlas=folder_of("atlas"),
        options=deface_options,
    shell:
        "python {input.script:q}"
        " --image {input.image:q} --sidecar {input.sidecar:q} --proof {input.proof:q} --atlas {params.atlas:q}"
        " {params.options:q} --leader={input.leader:q}"
        " --twin-check={input.twin_check:q} --twin-mask={input.twin_mask:q}"
        " --out {output.image:q} --mask {output.mask:q} --check {output.check:q}"
        " --picture {output.picture:q} --release-picture {output.release_picture:q}"
        " --before {output.before:q}"
        " 2> {log:q}"
