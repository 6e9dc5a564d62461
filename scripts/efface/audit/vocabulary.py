"""Words that identify nobody: terms of imaging, BIDS and vendors, and English words that are names too."""

import re

from pydicom.datadict import DicomDictionary

# Terms that headers and releases share. A name or an identifier that is only one of them is not looked for
# alone; together with other words it is.
PUBLIC = frozenset(
    """
    abdomen achieva acquisition adc adult aera allegra amira anat anatomy angio anon anonymous ap asl avanto
    axial biograph blank body bold bolus bone brain brainvisa breath calibration canon case cbf center
    centre chest clinic clinical combined contrast control cor coronal ct dataset defaced deid deidentified
    deleted demo department dept derived diffusion discovery dixon dti dummy dwi echo empty eng engineering
    enhanced ep2d epi espree false fast fat feet female field first flair fmap fmri followup fov func ge
    gehc gems gradient gre haste head healthcare hitachi hospital hospitals human image images imaging
    ingenia inplane institute intera iso isotropic larynx last left loc localizer locator lumina magnetom
    magnitude male map mask mean medical mosaic mp2rage mprage mr mri mrs multi na nan neck neuro neurology
    no none normal null optima original other pa patient perfusion pet petct phantom phase phd philips pilot
    pns post pre primary prisma prof prone protocol proton pt qa quality radiology rage redacted ref
    reference removed repeat research rest resting right run sag sagittal scan scanner scout secondary
    segment sense series service session setup shimadzu siemens signa sjukhus skull skyra slice sms sola
    sonata spair spgr spin spine spoiled standard stir study sub subject supine survey swi symphony systems
    t1 t1w t2 t2w task tensor terra test tfe tfl time tof tomography toshiba tra trace transverse trio
    triotim true tse tumor uih united universitat universitet university unknown uptake verio vibe vida
    visit volume volunteer water whole wip with withheld without xa30 yes
    changes dcm2niix dicom2nifti efface gdcm manifest nibabel numpy pydicom readme record release scipy
    simpleitk
    """.split()
    # Codes of methods of de-identification (PS3.16 CID 7050): headers may hold those of an earlier one.
    + [str(code) for code in range(113100, 113113)]
)

# Family and given names that are also words of a README; in prose they count only with a capital.
ORDINARY = frozenset(
    """
    able all and any archive are art ask bank bar base bell best bill bird black blue bond book both brown
    but can case chance chin church clean close cold cook cross dance data day dean does dot each early east
    even every eye face faces fair file files first fish fit for ford forest found four fox free friend from
    full gain gap general gift given glass gold good grace grant gray green grey ground hand hard has have
    here high hill his hold holder home hope house how ice into its join joy just key keys kind king lake
    lane large law lay less light like line list little live long low made main man many mark may mean might
    mild miles miller moon more most much must name names near nested new nice noble norm north nose not off
    old one only open order our out own page park part parts person place plain power price public pure rain
    range read real red reed rich rise rose rule said same say scale see set shape sharp short side sign
    simple since site small smart snow soft some song south space star stone street strong such summer sun
    sure swift table text that the them then these they this those three top tree two under upon use used
    user view walk wall was water way weak well west when which white who will wind winter wise with wolf
    wood word work worth year years you young your
    """.split()
)

# Words in the names of DICOM's attributes (PS3.6): what is typed or written by a machine in no other words
# describes an image, and documents of a dataset use them too. Of names of people and places they are no test.
TERMS = frozenset(
    word for entry in DicomDictionary.values() for word in re.findall(r"\w+", entry[2].casefold())
)
