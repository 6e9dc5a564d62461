"""Images of one session that belong together get names and metadata that say so."""

import pytest

from efface.siblings import Member, relate

SIZE = {"Rows": ["64"], "Columns": ["64"], "Slices": ["36"], "StudyInstanceUID": ["1.2"]}


def image(key, suffix, datatype="fmap", session="1", entities=None, when="100000", **attributes):
    record = {
        "subject": "a", "session": session, "datatype": datatype, "suffix": suffix,
        "entities": dict(entities or {}), "metadata": {},
    }  # fmt: skip
    given = {name: [str(value)] for name, value in attributes.items()}
    return Member(key, record, SIZE | {"SeriesTime": [when]} | given)


def test_echoes_of_one_series_are_numbered_by_time():
    late = image("s.1", "bold", "func", entities={"task": "rest"}, EchoTime=37.8)
    early = image("s.2", "bold", "func", entities={"task": "rest"}, EchoTime=20)
    other = image("t", "bold", "func", entities={"task": "rest"}, EchoTime=30)
    assert relate([late, early, other]) == {}
    assert [one.record["entities"].get("echo") for one in (late, early, other)] == ["2", "1", None]


def test_magnitude_and_phase_of_one_echo_get_the_same_number():
    images = [
        image(f"s.{n}", "bold", "func", entities={"part": part}, EchoTime=time)
        for n, (part, time) in enumerate([("mag", 10), ("phase", 10), ("mag", 20), ("phase", 20)], 1)
    ]
    relate(images)
    assert [one.record["entities"]["echo"] for one in images] == ["1", "1", "2", "2"]


def test_many_echoes_of_a_gradient_echo_are_a_megre():
    images = [image(f"s.{n}", "T2starw", "anat", EchoTime=5 * n) for n in (1, 2, 3)]
    relate(images)
    assert {one.suffix for one in images} == {"MEGRE"}


def test_two_echoes_of_a_spin_echo_stay_what_they_are():
    first, second = (
        image("s.1", "PDw", "anat", EchoTime=11),
        image("s.2", "T2w", "anat", EchoTime=92),
    )
    relate([first, second])
    assert (first.suffix, second.suffix) == ("PDw", "T2w") and not first.record["entities"]


def siemens(phase_echo=12.46, **other):
    """Return a field map of Siemens: a series of two magnitudes, and one of their phase difference."""
    return [
        image("m.1", "magnitude", EchoTime=10, when="100000"),
        image("m.2", "magnitude", EchoTime=12.46, when="100000"),
        image("p", "phase", EchoTime=phase_echo, when="100001", **other),
    ]


def test_a_phase_difference_gets_the_echo_times_of_its_magnitudes():
    images = siemens()
    assert relate(images) == {}
    assert [one.suffix for one in images] == ["magnitude1", "magnitude2", "phasediff"]
    assert images[2].record["metadata"] == {
        "EchoTime1": 0.01, "EchoTime2": 0.01246, "B0FieldIdentifier": "B0map1",
    }  # fmt: skip


@pytest.mark.parametrize("other", [{"Rows": 32}, {"Slices": 35}, {"phase_echo": 9.0}])
def test_a_phase_that_fits_no_magnitude_is_held_and_so_are_they(other):
    reasons = relate(siemens(**other))
    assert set(reasons) == {"m.1", "m.2", "p"} and "without" in reasons["p"]


def test_the_nearest_magnitudes_before_a_phase_are_its_own():
    images = [
        image(f"{name}.{n}", "magnitude", EchoTime=echo, when=when)
        for name, when in (("early", "100000"), ("late", "110000"))
        for n, echo in ((1, 10), (2, 12.46))
    ]
    images += [image("p1", "phase", EchoTime=12.46, when="100001")]
    images += [image("p2", "phase", EchoTime=12.46, when="110001")]
    assert relate(images) == {}
    fields = [one.record["metadata"]["B0FieldIdentifier"] for one in images]
    assert fields == ["B0map1", "B0map1", "B0map2", "B0map2", "B0map1", "B0map2"]


def test_two_phases_of_one_series_are_phase1_and_phase2():
    images = [
        image("s.1", "magnitude", EchoTime=2.3),
        image("s.2", "phase", EchoTime=2.3),
        image("s.3", "magnitude", EchoTime=4.6),
        image("s.4", "phase", EchoTime=4.6),
    ]
    assert relate(images) == {}
    assert [one.suffix for one in images] == ["magnitude1", "phase1", "magnitude2", "phase2"]


def test_a_map_in_hertz_has_one_magnitude():
    images = [image("s.1", "fieldmap"), image("s.2", "magnitude", EchoTime=1.52)]
    assert relate(images) == {}
    assert [one.suffix for one in images] == ["fieldmap", "magnitude"]


def test_what_a_single_field_map_corrects_is_said_and_several_leave_it_open():
    bold = image("b", "bold", "func", EchoTime=30)
    relate([*siemens(), bold])
    assert bold.record["metadata"] == {"B0FieldSource": "B0map1"}
    elsewhere = image("b", "bold", "func", session="2", EchoTime=30)
    relate([*siemens(), elsewhere])
    assert elsewhere.record["metadata"] == {}


def test_inversions_are_numbered_and_a_lonely_one_is_held():
    first = image("i", "MP2RAGE", "anat", InversionTime=700)
    second = image("j", "MP2RAGE", "anat", InversionTime=2500)
    assert relate([second, first]) == {}
    assert (first.record["entities"], second.record["entities"]) == ({"inv": "1"}, {"inv": "2"})
    assert set(relate([image("i", "MP2RAGE", "anat", InversionTime=700)])) == {"i"}


def test_a_spin_echo_field_map_needs_a_direction():
    assert set(relate([image("e", "epi"), image("f", "epi", entities={"dir": "AP"})])) == {"e"}


def test_each_phase_knows_the_magnitude_of_its_own_echo_and_series():
    images = [
        image("s.1", "magnitude", EchoTime=2.3, Component="MAGNITUDE"),
        image("s.2", "phase", EchoTime=2.3, Component="PHASE"),
        image("s.3", "magnitude", EchoTime=4.6, Component="MAGNITUDE"),
        image("s.4", "phase", EchoTime=4.6, Component="PHASE"),
        image("t", "bold", "func", EchoTime=4.6, Component="MAGNITUDE"),
    ]
    relate(images)
    assert [one.record.get("twin") for one in images] == [None, "s.1", None, "s.3", None]


def test_a_phase_difference_takes_a_magnitude_of_its_field_map_and_no_other_slices():
    images = siemens()
    for one, named in zip(images, ("MAGNITUDE", "MAGNITUDE", "PHASE"), strict=True):
        one.attributes["Component"] = [named]
    relate([*images, image("b", "bold", "func", EchoTime=12.46, Rows=96, Component="MAGNITUDE")])
    assert images[2].record["twin"] == "m.2"
    lonely = image("p", "bold", "func", EchoTime=30, Component="PHASE")
    relate([lonely, image("m", "bold", "func", EchoTime=30, Slices=9, Component="MAGNITUDE")])
    assert lonely.record["twin"] is None
