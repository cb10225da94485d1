"""Which guidance a record may show: home care never beside an emergency or doctor criterion."""

from __future__ import annotations

from pipelines.statements import Row
from schemas.pack import ANY_CAUSE, GUIDANCE_KINDS, KINDS_BESIDE_A_CRITERION, Guidance, Pack


def shown_guidance(pack: Pack, record: Row, home_care: bool) -> list[Guidance]:
    """Return the guidance for a record, by kind, what holds for any cause first.

    Without `home_care` only what doctors do and what can follow: nothing that a patient could do instead.
    """
    about = (record["likely_cause"], record["cause_category"], ANY_CAUSE)
    entries = [entry for entry in pack.guidance if entry.cause in about and (home_care or _beside_a_criterion(entry))]
    return sorted(entries, key=lambda entry: (GUIDANCE_KINDS.index(entry.kind), entry.cause != ANY_CAUSE))


def _beside_a_criterion(entry: Guidance) -> bool:
    return entry.kind in KINDS_BESIDE_A_CRITERION and not entry.only_self_care


def vars_of(entry: Guidance) -> Row:
    """Return an entry as the explanation holds it."""
    return {"kind": entry.kind, "text": entry.text, "reference": entry.reference}
