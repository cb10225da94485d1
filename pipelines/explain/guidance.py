"""Which guidance a record may show: home care never beside an emergency or doctor criterion."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.statements import Row
from schemas.pack import ANY_CAUSE, GUIDANCE_KINDS, KINDS_BESIDE_A_CRITERION, Guidance, Pack


def choose_guidance(pack: Pack, causes: Sequence[str], home_care: bool) -> list[Guidance]:
    """Return the guidance for a record, by kind: for any cause, then for those that cannot be told apart, then for
    their groups.

    Without `home_care` only what doctors do and what can follow: nothing that a patient could do instead.
    """
    groups = [cause.category for cause in pack.causes if cause.name in causes]
    about = list(dict.fromkeys([ANY_CAUSE, *causes, *groups]))
    entries = [e for e in pack.guidance if e.cause in about and (home_care or _is_beside_a_criterion(pack, e))]
    return sorted(entries, key=lambda entry: (GUIDANCE_KINDS.index(entry.kind), about.index(entry.cause)))


def _is_beside_a_criterion(pack: Pack, entry: Guidance) -> bool:
    """A pack that marks no cause as serious marks no treatment as one for self-care alone: it shows none of a cause."""
    if entry.kind not in KINDS_BESIDE_A_CRITERION or entry.only_self_care:
        return False
    return entry.kind != "treatment" or entry.cause == ANY_CAUSE or any(cause.serious for cause in pack.causes)


def convert_entry(entry: Guidance) -> Row:
    """Return an entry as the explanation holds it."""
    return {"kind": entry.kind, "cause": entry.cause, "text": entry.text, "reference": entry.reference}
