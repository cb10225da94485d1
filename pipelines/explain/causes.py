"""How sure a likely cause is, in words: a close one is never given as the answer."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.pack import Pack


def judge_certainty(leader: str | None, points: Mapping[str, int]) -> str:
    """Return how sure the leading cause is, from the points of every cause that has some: the first that holds."""
    if leader is None or leader not in points:
        return "none"
    if points[leader] == 1:
        return "weak"
    others = [number for name, number in points.items() if name != leader]
    if not others:
        return "only"
    return "close" if max(others) >= points[leader] - 1 else "leading"


def find_near_causes(pack: Pack, leader: str | None, points: Mapping[str, int]) -> list[str]:
    """Return the leading cause, with those that it cannot be told apart from: the more dangerous first."""
    kind = judge_certainty(leader, points)
    if leader is None or kind != "close":
        return [leader] if leader else []
    return [
        cause.name
        for cause in pack.causes
        if cause.name == leader or points.get(cause.name, 0) >= points[leader] - 1 > 0
    ]


def describe_cause(pack: Pack, leader: str | None, points: Mapping[str, int]) -> str:
    """Return the likely cause as a sentence; of causes that cannot be told apart the more dangerous first."""
    labels = {cause.name: cause.label for cause in pack.causes}
    kind = judge_certainty(leader, points)
    if leader is None or kind == "none":
        return "Undetermined: no evidence points to a cause."
    if kind == "close":
        near = find_near_causes(pack, leader, points)
        return f"Cannot be told apart: {' and '.join(labels[name] for name in near)}."
    words = {
        "weak": "by a weak sign alone",
        "only": "the only cause with evidence",
        "leading": "leads every other cause by 2 points or more",
    }
    others = [labels[name] for name in points if name != leader] if kind == "weak" else []
    also = f" As many points or more: {', '.join(others)}." if others else ""
    return f"{labels[leader]}: {words[kind]}.{also}"
