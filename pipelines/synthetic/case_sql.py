"""The model as the SQL that draws one report a row: sql/synthetic/generate.sql with everything filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files as package_files
from itertools import accumulate

from pipelines.synthetic.draws import make_key, stream_sql
from pipelines.synthetic.model import CAUSES, MODEL, REGIONS, STREAMS, Cause, list_symptom_fields
from pipelines.synthetic.outbreak import Outbreak
from pipelines.synthetic.schedule import WHOLE
from schemas.fields import AGE_BANDS


def _find_cuts(weights: Sequence[float]) -> list[int]:
    """Where each weight's part of 0..65535 ends."""
    return [round(WHOLE * end / sum(weights)) for end in accumulate(weights)]


def _scale_share(percent: float) -> int:
    return round(WHOLE * percent / 100)


def _list(values: Iterable[object]) -> str:
    return "[" + ", ".join(repr(value) for value in values) + "]"


def _choice_sql(draw: str, weights: Sequence[float]) -> str:
    """SQL: the number, from 1, of the weight that the draw falls into."""
    whens = (f"WHEN {draw} < {cut} THEN {number}" for number, cut in enumerate(_find_cuts(weights)[:-1], 1))
    return f"CASE {' '.join(whens)} ELSE {len(weights)} END"


def _age_band_sql() -> str:
    """SQL: the age band by true cause."""
    cuts = list(zip(*(_find_cuts(cause.ages) for cause in CAUSES), strict=True))
    whens = (
        f"WHEN age_draw < ({_list(cut)})[cause_number] THEN '{band}'" for cut, band in zip(cuts, AGE_BANDS, strict=True)
    )
    return f"CASE {' '.join(whens)} END"


def _sex_sql() -> str:
    """SQL: the sex by true cause, and two small shares that do not depend on it."""
    female = _list(_scale_share(cause.female) for cause in CAUSES)
    male, other = WHOLE - _scale_share(MODEL.other_sex + MODEL.unknown_sex), WHOLE - _scale_share(MODEL.unknown_sex)
    return (
        f"CASE WHEN sex_draw < ({female})[cause_number] THEN 'female' WHEN sex_draw < {male} THEN 'male' "
        f"WHEN sex_draw < {other} THEN 'other' ELSE 'unknown' END"
    )


def _find_yes_cuts(field: str) -> list[int]:
    """Below which draw the answer is yes, for every cause and, inside it, severity."""
    odds = (1.0, 1.0, 1.0) if field in MODEL.history else MODEL.severity_odds
    shares = [percent / 100 for percent in MODEL.symptoms[field]]
    return [round(WHOLE * share * ratio / (1 - share + share * ratio)) for share in shares for ratio in odds]


def _answer_sql(field: str) -> str:
    """SQL: yes, no or blank."""
    skipped = f"form_number = 2 AND draw(key_1, key_2, {stream_sql('blank', field)}) < {_scale_share(MODEL.no_answer)}"
    blank = f"form_number = 3 OR ({skipped})" if field in MODEL.short_form_omits else skipped
    yes = f"draw(key_1, key_2, {stream_sql('answer', field)}) < ({_list(_find_yes_cuts(field))})[profile]"
    return f"yes_no({blank}, {yes}) AS {field}"


def _list_slots() -> list[tuple[int, int]]:
    """Start and length, in seconds, of 128 stretches of the day that hold as many reports each."""
    starts = [3600 * hour + 3600 * part // parts for hour, parts in enumerate(MODEL.hours) for part in range(parts)]
    return [(start, after - start) for start, after in zip(starts, [*starts[1:], 86400], strict=True)]


def _profiles_sql(values: Callable[[Cause, int], float]) -> str:
    """SQL: a list of one whole number for every cause and, inside it, severity."""
    return _list(round(values(cause, grade)) for cause in CAUSES for grade in range(len(MODEL.severities)))


def _find_outbreak_parts(outbreak: Outbreak | None) -> dict[str, int]:
    """Return the numbers of the outbreak's cause and region; without one they are never used."""
    if outbreak is None:
        return {"outbreak_cause": 1, "outbreak_region": 1}
    causes, regions = [cause.name for cause in CAUSES], [region.name for region in REGIONS]
    return {
        "outbreak_cause": 1 + causes.index(outbreak.cause),
        "outbreak_region": 1 + regions.index(outbreak.region),
    }


def cases_sql(run: str, outbreak: Outbreak | None) -> str:
    """sql/synthetic/generate.sql with everything filled in."""
    text = (package_files("sql") / "synthetic" / "generate.sql").read_text(encoding="utf-8")
    return text.format(**_make_sql_parts(run, outbreak))


def _make_sql_parts(run: str, outbreak: Outbreak | None) -> dict[str, object]:
    """Return what generate.sql leaves open. Another `run` gives other draws throughout."""
    sizes = [region.size for region in REGIONS]
    slots = _list_slots()
    return {
        **{f"s_{name}": stream_sql(name) for name in STREAMS},
        **_find_outbreak_parts(outbreak),
        "run_1": make_key("run", 1, run),
        "run_2": make_key("run", 2, run),
        "winter_cause": _choice_sql("cause_draw", [cause.winter for cause in CAUSES]),
        "summer_cause": _choice_sql("cause_draw", [cause.summer for cause in CAUSES]),
        "region": _choice_sql("region_draw", sizes),
        "late_region": _choice_sql("region_draw", [region.size * region.slowness for region in REGIONS]),
        "severity_1": _list(_find_cuts(cause.severities)[0] for cause in CAUSES),
        "severity_2": _list(_find_cuts(cause.severities)[1] for cause in CAUSES),
        "form_1": _list(_find_cuts(region.forms)[0] for region in REGIONS),
        "form_2": _list(_find_cuts(region.forms)[1] for region in REGIONS),
        "slot_start": _list(start for start, _ in slots),
        "slot_seconds": _list(seconds for _, seconds in slots),
        "no_region": _scale_share(MODEL.no_region),
        "no_person": _list(map(_scale_share, MODEL.no_person)),
        "no_number": _list(map(_scale_share, MODEL.no_number)),
        "age_band": _age_band_sql(),
        "sex": _sex_sql(),
        "pain": _profiles_sql(lambda cause, grade: cause.pain + MODEL.pain_shift[grade]),
        "duration": _profiles_sql(lambda cause, grade: 100 * cause.duration * MODEL.duration_factor[grade]),
        "stretch": _list(MODEL.stretch),
        "answers": ",\n        ".join(map(_answer_sql, list_symptom_fields())),
        "cause_names": _list(cause.name for cause in CAUSES),
        "region_names": _list(region.name for region in REGIONS),
        "severity_names": _list(MODEL.severities),
        "form_names": _list(MODEL.forms),
    }
