"""From pack 1 to pack 2: no record moves down."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from schemas.pack import LEVELS, Pack
from schemas.pack_file import find_earlier_pack
from tests.rules.test_compiler import compiled, random_records
from tests.support.kleene import Answers

# what may still be asked is no step down from what was settled: an unresolved record is treated as its ceiling
ORDER = LEVELS.index


def joint_records(pack: Pack) -> Iterator[Answers]:
    """Every combination of yes, no and unknown to the signs of the new rule, the others denied."""
    names = ("shortness_of_breath", "fever", "streaks", "redness", "calf_swelling", "skin_break", "leg_swelling")
    rest: Answers = dict.fromkeys(pack.field_names, False) | {"pain_score": 3, "duration_days": 2}
    for values in itertools.product((True, False, None), repeat=len(names)):
        yield {**rest, **dict(zip(names, values, strict=True))}


def test_no_record_moves_down_from_a_level_or_a_ceiling(pack: Pack) -> None:
    first = find_earlier_pack("calf_pain-1-a52e69c2")
    assert first is not None
    records = [*random_records(pack, 5000), *joint_records(pack)]
    for record, before, after in zip(records, compiled(first, records), compiled(pack, records), strict=True):
        assert ORDER(after.triage_level) >= ORDER(before.triage_level), record
        assert ORDER(after.triage_ceiling) >= ORDER(before.triage_ceiling), record


def test_pack_1_keeps_its_own_way_to_choose_a_cause(pack: Pack) -> None:
    first = find_earlier_pack("calf_pain-1-a52e69c2")
    assert first is not None
    signs = ("shortness_of_breath", "calf_swelling", "cramping", "dehydration")
    record: Answers = {name: name in signs for name in pack.field_names} | {"pain_score": 3, "duration_days": 2}
    assert [compiled(each, [record])[0].likely_cause for each in (first, pack)] == [
        "muscle_cramp",
        "deep_vein_thrombosis",
    ]
