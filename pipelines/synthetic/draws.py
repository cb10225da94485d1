"""Draws that depend on words alone, so that the same arguments give the same bytes everywhere."""

from __future__ import annotations

import hashlib


def make_key(*words: object) -> int:
    """32 bits that depend on the words alone."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, words)).encode()).digest()[:4], "big")


def stream_sql(*words: object) -> str:
    """Return the two odd numbers below 2^31 that tell one choice's draws from another's."""
    return f"{make_key('stream', 1, *words) >> 1 | 1}, {make_key('stream', 2, *words) >> 1 | 1}"


def draw_uniform(*words: object) -> float:
    """0 to 1, from the words alone."""
    return (make_key(*words) + 0.5) / 2**32


def draw_normal(*words: object) -> float:
    """Close to a standard normal value, from the words alone: twelve uniform values added."""
    return sum(draw_uniform(*words, number) for number in range(12)) - 6
