"""The context fields of a symptom report: every field that is not a symptom answer of the rule pack; and the words
that an answer may be.

From this one declaration come the pandera check, the stored column, its COMMENT, the data dictionary and
the message that a bad cell gets. Source: the input contract, docs/input.md.
"""

from __future__ import annotations

from dataclasses import dataclass

AGE_BANDS = ("0-17", "18-29", "30-44", "45-59", "60-74", "75+")
SEXES = ("female", "male", "other", "unknown")
YES_WORDS = ("yes", "y", "true", "t", "1")  # in any case
NO_WORDS = ("no", "n", "false", "f", "0")
UNKNOWN_WORDS = ("na", "n/a", "nan", "none", "null", "unknown")  # beside blank; tools write them without being asked

# Years outside 2000-2099 are typing errors in a symptom report, and one such row would stretch every
# weekly view over centuries. Within them every fourth year is a leap year, so that the pattern alone knows
# which days there are.
DAY_PATTERN = (
    r"20([0-9]{2}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
    r"|([02468][048]|[13579][26])-02-29)"
)
# Seconds may carry a fraction; an offset is Z, +HH, +HHMM or +HH:MM.
TIME_PATTERN = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?"
TIMESTAMP_PATTERN = f"{DAY_PATTERN}([T ]{TIME_PATTERN})?"


@dataclass(frozen=True)
class ContextField:
    """One column of the canonical CSV beside the symptom answers.

    Exactly one of `pattern`, `values` and `limits` (smallest, largest integer) says what is allowed.
    """

    name: str
    meaning: str
    allowed: str
    required: bool = False
    pattern: str | None = None
    values: tuple[str, ...] | None = None
    limits: tuple[int, int] | None = None
    unit: str = ""


CONTEXT_FIELDS = (
    ContextField(
        "report_id",
        "The sender's own number of the report; with the source it identifies the record.",
        "1-64 of A-Z a-z 0-9 . _ -, but none of NA, NaN, None, NULL, unknown",
        required=True,
        pattern=r"[A-Za-z0-9._-]{1,64}",
    ),
    ContextField(
        "reported_at",
        "When the report was made; without an offset, in the source's time zone.",
        "ISO 8601 date or timestamp, years 2000-2099",
        required=True,
        pattern=TIMESTAMP_PATTERN,
        unit="instant, stored in UTC",
    ),
    ContextField(
        "region",
        "Where the reporter lives, coarsely; kept in lower case.",
        "1-32 of A-Z a-z 0-9 _ -",
        pattern=r"[A-Za-z0-9_-]{1,32}",
    ),
    ContextField("age_band", "Age of the reporter.", " ".join(AGE_BANDS), values=AGE_BANDS, unit="years"),
    ContextField("sex", "Sex of the reporter as the sender records it.", " ".join(SEXES), values=SEXES),
    ContextField(
        "pain_score", "Pain on the numeric rating scale.", "integer 0-10", limits=(0, 10), unit="points of 10"
    ),
    ContextField("duration_days", "How long the pain has lasted.", "integer 0-3650", limits=(0, 3650), unit="days"),
)
CONTEXT_NAMES = tuple(field.name for field in CONTEXT_FIELDS)
REQUIRED_NAMES = tuple(field.name for field in CONTEXT_FIELDS if field.required)
# the context fields a rule may read, with their limits
NUMERIC_FIELDS = {field.name: field.limits for field in CONTEXT_FIELDS if field.limits is not None}

SEVERE_PAIN = 7  # pain_score from here on counts as `severe_pain` in the summaries (NRS: 7-10 is severe)


def is_unknown(cell: str) -> bool:
    """Return whether a cell says in any case, in plain letters, that nothing is known."""
    return cell.isascii() and cell.lower() in UNKNOWN_WORDS


def list_spellings(words: tuple[str, ...]) -> list[str]:
    """Return the words as most people write them: small, capital, and with a capital first letter."""
    return sorted({form for word in words for form in (word, word.upper(), word.capitalize())})
