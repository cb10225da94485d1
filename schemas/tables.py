"""What is stored: every table and view, its grain and its columns, each with its meaning.

From this one declaration come CREATE TABLE, every COMMENT (store/schema.py) and the data dictionary; a test
holds the databases against it. How a record is packed is told in record_layout.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.fields import CONTEXT_FIELDS
from schemas.pack import Field, Pack

SCHEMA_VERSION = 4


@dataclass(frozen=True)
class Column:
    """One column: its SQL type and what it means, with its unit."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table or view; `grain` says what one row is."""

    name: str
    grain: str
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def _parse_columns(text: str) -> tuple[Column, ...]:
    """Parse lines of `name TYPE meaning`."""
    rows = (line.strip().split(maxsplit=2) for line in text.strip().splitlines())
    return tuple(Column(name, kind.replace(",", ", "), meaning) for name, kind, meaning in rows)


FILES = Table(
    "files",
    "one delivered file",
    _parse_columns("""
        file_id VARCHAR sha256 of the file's content, after decompression; of a header alone, of its period too
        path VARCHAR where the file lay when it was read
        source VARCHAR the sender
        status VARCHAR accepted, rejected, or withdrawn: taken back later, with all its counts at 0
        reason VARCHAR why it was rejected or is left out
        rows_read BIGINT rows of the file, without header and blank lines
        rows_accepted BIGINT rows that became a record
        rows_quarantined BIGINT rows set aside for at least one bad cell
        rows_duplicate BIGINT rows equal to a record that is stored already, or to an earlier row of the file
        rows_out_of_scope BIGINT rows that the source's adapter leaves out
        rows_superseded BIGINT stored records that this file replaced or took out
        delivery_no INTEGER place in the order of deliveries; a later delivery wins
        first_report TIMESTAMPTZ earliest report among the accepted and duplicate rows
        last_report TIMESTAMPTZ latest report among the accepted and duplicate rows
        rule_pack VARCHAR version of the rule pack that tagged the file's records
        ingested_at TIMESTAMPTZ when the file was stored or rejected
        run_id VARCHAR the run that did it
        tried_with VARCHAR fingerprint of settings, adapter and version; a rejected file is tried again when it changes
        period VARCHAR the days that the file's name says it is about: 2026-11-22 or 2026-11-16/2026-11-22; NULL if none
        clock DATE the sender's time after this delivery: the latest day that it and the deliveries before it reached
        rows_moved INTEGER rows that replaced a stored record of another day
        rows_removed INTEGER stored records that it took out, because a whole list (`cumulative`) lacks them
        columns VARCHAR[] the columns of its header that its adapter reads; NULL if they were not noted
        is_whole BOOLEAN whether its last line had a line end; NULL if that was not noted
        notes VARCHAR what was taken with a word of caution, as it was told on the file's line
    """),
)

# The stored form of `reports`: answers, rules and scores as bits, because writing thirty columns is what
# an ingest spends its time on. The view `reports` shows them as columns.
_RECORDS = _parse_columns("""
    source VARCHAR the sender
    report_id VARCHAR the sender's number of the report
    reported_at TIMESTAMPTZ when the report was made
    region VARCHAR region, NULL where unknown
    age_band UTINYINT 0 unknown, else place in the list of age bands
    sex UTINYINT 0 blank, else place in the list of sexes
    pain_score UTINYINT 0-10, NULL where unknown
    duration_days USMALLINT days, NULL where unknown
    answered UINTEGER bit i is set where field i of the pack has an answer
    yes UINTEGER bit i is set where that answer is yes
    triage_level UTINYINT 0 self_care, 1 unresolved, 2 contact_doctor, 3 emergency
    triage_ceiling UTINYINT the highest level that unknown answers could still lead to, coded alike
    rules_true UINTEGER bit i is set where triage rule i of the pack is TRUE
    missing UINTEGER bit i is set if field i has no answer, and its answer can change the level
    likely_cause UTINYINT 0 undetermined, else place in the list of causes
    cause_certainty UTINYINT 0 none, 1 weak, 2 only, 3 leading, 4 close
    evidence_true UBIGINT bit i is set where evidence row i of the pack is TRUE
    delivery_no INTEGER the delivery that brought the record
    line_number UINTEGER physical line in that file, the header being line 1
""")

# last of all, so that an older state gets it by ALTER TABLE and no table is written again
FIRST_DELIVERY = _parse_columns(
    "first_delivery_no INTEGER the delivery that first brought this report_id; a correction keeps it"
)


STATED_DATE = _parse_columns("stated_date DATE the day of a report without a time; NULL if its time is known")
REPORT_DAY = _parse_columns("""
    report_date DATE day of the report in the reporting time zone; of a report without a time, the day it states
    time_known BOOLEAN whether the report has a time; if not, reported_at is noon of its day in UTC
""")


def make_records_table(pack: Pack, name: str = "records") -> Table:
    """Return the stored records; the pack's numbers and choices have a column each."""
    numbers = tuple(Column(field, "USMALLINT", "number, NULL where unknown") for field in pack.own_numbers)
    choices = tuple(Column(field, "UTINYINT", "0 unknown, else place in the list of values") for field in pack.choices)
    columns = _RECORDS + numbers + choices + FIRST_DELIVERY + STATED_DATE
    return Table(name, "one accepted record, packed; read the view reports instead", columns)


def list_packed_columns() -> tuple[Column, ...]:
    """Return the columns of `records` that every pack has."""
    return _RECORDS


TAG_MEANINGS = _parse_columns("""
    triage_level VARCHAR highest level with a TRUE rule; self_care only where every rule is FALSE, else unresolved
    triage_ceiling VARCHAR highest level that the unknown answers could still lead to
    triage_rules VARCHAR[] ids of the triage rules that are TRUE
    missing_answers VARCHAR[] unknown fields whose answer can change the level: what to ask to settle the record
    cause_category VARCHAR category of the likely cause; undetermined without points
    likely_cause VARCHAR cause that leads by urgency of its evidence, then points, then danger; NULL without points
    cause_certainty VARCHAR none (no points), weak (1 point), only (no other cause has points), leading, or close
    cause_scores MAP(VARCHAR,UTINYINT) points of every cause that has some, the most dangerous cause first
    rule_pack VARCHAR version of the rule pack that tagged the record
    file_id VARCHAR the file that brought the record
    line_number BIGINT its physical line there, the header being line 1
    source VARCHAR the sender
""")


def make_reports_table(pack: Pack) -> Table:
    """Return the view `reports`: the canonical columns, typed, and the tags."""
    types = {"reported_at": "TIMESTAMPTZ", "pain_score": "TINYINT", "duration_days": "SMALLINT"}
    context = tuple(
        Column(f.name, types.get(f.name, "VARCHAR"), f"{f.meaning} Allowed: {f.allowed}.") for f in CONTEXT_FIELDS
    )
    answers = tuple(
        Column(
            f.name, pack.sql_type(f.name), f"{f.meaning}{_describe_domain(f)} NULL is unknown. Article: {f.reference}."
        )
        for f in pack.fields
    )
    columns = context + answers + TAG_MEANINGS + FIRST_DELIVERY + REPORT_DAY
    return Table("reports", "one accepted record and its tags", columns)


def _describe_domain(field: Field) -> str:
    """Return what a number or choice may be, in words; the end of the sentence that says what the field means."""
    if field.type == "number":
        return f", {field.smallest}-{field.largest} {field.unit}."
    if field.type == "choice":
        return f", one of {', '.join(field.values)}."
    return "" if field.meaning.endswith(".") else "."


def make_superseded_table(pack: Pack) -> Table:
    """Return the table of records that a later delivery replaced, as they were."""
    last = FIRST_DELIVERY + REPORT_DAY
    columns = make_reports_table(pack).columns[: -len(last)] + list_superseded_columns() + last
    return Table("superseded", "one record that a later delivery replaced", columns)


def list_superseded_columns() -> tuple[Column, ...]:
    """Return the columns that superseded records have beside those of `reports`."""
    return _parse_columns("""
        superseded_by VARCHAR file_id of the delivery that replaced it
        superseded_at TIMESTAMPTZ when
    """)


QUARANTINE = Table(
    "quarantine",
    "one bad cell, or one line that is no row",
    _parse_columns("""
        file_id VARCHAR the file
        line_number BIGINT physical line, the header being line 1
        report_id VARCHAR the row's report_id where it can be read
        column_name VARCHAR the column; NULL where the line as a whole is bad
        check_name VARCHAR which check failed
        allowed VARCHAR what would have been allowed
        value VARCHAR the cell, cut at 80 characters
        raw_line VARCHAR the line as delivered, cut at 4096 characters
        delivery_no INTEGER the delivery, as in files: two senders may deliver the same content
        corrected_by VARCHAR file_id of the later delivery that brought the row right; NULL while the cell is open
    """),
)

WARNED_CELLS = Table(
    "warned_cells",
    "one thing that a source's adapter did not understand in a row that was taken; the view warnings counts them",
    _parse_columns("""
        delivery_no INTEGER the delivery, as in files
        line_number BIGINT physical line, the header being line 1
        report_id VARCHAR the record, as in reports
        column_name VARCHAR the column; NULL if the adapter does not tell one
        kind VARCHAR not_understood, none_beside_others, or adapter: the adapter's own words
        value VARCHAR what was not understood, cut at 80 characters; NULL if it could be a direct identifier
    """),
)
WARNINGS = Table(
    "warnings",
    "one file, column, kind and value of what was taken with a word of caution",
    _parse_columns("""
        file_id VARCHAR the file
        delivery_no INTEGER the delivery, as in files
        source VARCHAR the sender
        column_name VARCHAR the column; NULL if it is not told
        kind VARCHAR not_understood, none_beside_others, adapter, implausible_day or missing_column; see docs/input.md
        value VARCHAR what was not understood, cut at 80 characters; else NULL, and if it could be an identifier
        rows BIGINT number of the file's rows, those equal to a stored record included
        first_lines BIGINT[] the first five of their lines; NULL where it is every row
    """),
)

DAILY_SUMMARY = Table(
    "daily_summary",
    "one day, source, region, age band, sex, level, ceiling, category and cause that has reports; often that is one "
    "person: the table is nearly record level, and to be read as records are",
    _parse_columns("""
        report_date DATE day in the reporting time zone
        source VARCHAR the sender
        region VARCHAR region, or unknown
        age_band VARCHAR age band, or unknown
        sex VARCHAR sex, or unknown
        triage_level VARCHAR the level tagged
        triage_ceiling VARCHAR the level still possible
        cause_category VARCHAR category, or undetermined
        likely_cause VARCHAR cause, or undetermined
        reports BIGINT number of records
        severe_pain BIGINT records of them with a pain score of 7 or more
        close_causes BIGINT records of them whose likely cause cannot be told apart from another one
        serious_signs BIGINT self_care records of them that have points for a serious cause
    """),
)
DAILY_RULES = Table(
    "daily_rules",
    "one day, source and triage rule that fired",
    _parse_columns("""
        report_date DATE day in the reporting time zone
        source VARCHAR the sender
        rule_id VARCHAR the triage rule
        reports BIGINT records in which it was TRUE
    """),
)
DAILY_FIELDS = Table(
    "daily_fields",
    "one day, source and field",
    _parse_columns("""
        report_date DATE day in the reporting time zone
        source VARCHAR the sender
        field VARCHAR the field
        reports BIGINT records of the day
        answered BIGINT records of them with an answer
        missing BIGINT records with the field among their missing answers
        unresolved BIGINT those of them that are unresolved
        settles BIGINT those of these that lack no other answer: this one settles each of them, whatever it is
        yes BIGINT records of the day that answer yes; NULL of a field that is no yes/no question
    """),
)
DAILY_NUMBERS = Table(
    "daily_numbers",
    "one day, source, numeric field and value",
    _parse_columns("""
        report_date DATE day in the reporting time zone
        source VARCHAR the sender
        field VARCHAR pain_score, duration_days, or a number of the pack's own
        value INTEGER the number; NULL where unknown
        reports BIGINT number of records
    """),
)
DAILY_RULE_SETS = Table(
    "daily_rule_sets",
    "one day, source and set of triage rules that fired together, in one record",
    _parse_columns("""
        report_date DATE day in the reporting time zone
        source VARCHAR the sender
        rule_ids VARCHAR[] the triage rules that were TRUE, at least two
        reports BIGINT number of records
    """),
)
DAILY_ARRIVALS = Table(
    "daily_arrivals",
    "one day, source, level and delivery that first brought reports of them",
    _parse_columns("""
        report_date DATE day in the reporting time zone
        source VARCHAR the sender
        triage_level VARCHAR the level tagged
        first_delivery_no INTEGER the delivery that first brought the reports
        reports BIGINT number of records
    """),
)
DAILY_TABLES = (DAILY_SUMMARY, DAILY_RULES, DAILY_FIELDS, DAILY_ARRIVALS, DAILY_NUMBERS, DAILY_RULE_SETS)

DELIVERY_DAYS = Table(
    "delivery_days",
    "one delivery and day that it brought new or changed reports of",
    _parse_columns("""
        delivery_no INTEGER the delivery
        report_date DATE day in the reporting time zone
        reports BIGINT rows that became a record, whether it was replaced later or not
    """),
)

ERASED = Table(
    "erased",
    "one report or quarantined line that was erased, and is not taken in again",
    _parse_columns("""
        source VARCHAR the sender
        mark UUID keyed hash of the sender and of the report_id or the line; the key is the file HOME/forget.key
    """),
)
ERASED_FILES = Table(
    "erased_files",
    "one delivery of which records were erased: what its counts in files still hold and no record accounts for",
    _parse_columns("""
        delivery_no INTEGER the delivery
        records BIGINT erased records that it brought, and that were in use
        superseded BIGINT erased records that it brought, and that had been replaced or taken out
        replaced BIGINT erased records that it had replaced or taken out itself
    """),
)
# the counts of erased records stay: beside each table of daily counts, the part of it that no record accounts for
ERASED_COUNTS = {
    table.name: Table(name, f"as in {table.name}, of erased records alone; they are counted there too", table.columns)
    for name, table in (
        ("erased_summary", DAILY_SUMMARY),
        ("erased_rules", DAILY_RULES),
        ("erased_fields", DAILY_FIELDS),
        ("erased_arrivals", DAILY_ARRIVALS),
        ("erased_numbers", DAILY_NUMBERS),
        ("erased_rule_sets", DAILY_RULE_SETS),
        ("erased_days", DELIVERY_DAYS),
    )
}
ERASURE_TABLES = (ERASED, ERASED_FILES, *ERASED_COUNTS.values())

CALENDAR = Table(
    "calendar",
    "one day of a covered week: a week of which some source reported, or said that there was nothing to report",
    _parse_columns("""
        report_date DATE the day
        week VARCHAR its week, such as 2026-W47 (ISO) or 2026-MW47 (MMWR)
        week_start DATE first day of that week
        month VARCHAR its month, such as 2026-11
        quarter VARCHAR its quarter, such as 2026-Q4
    """),
)
PUBLISHED_CALENDAR = Table(
    "calendar",
    CALENDAR.grain,
    CALENDAR.columns
    + _parse_columns("""
        is_complete BOOLEAN whether its week was over when the snapshot was made
        month_is_complete BOOLEAN whether its month was over, and every day of that is in a covered week
        quarter_is_complete BOOLEAN whether its quarter was over, and every day of that is in a covered week
    """),
)
RULES = Table(
    "rules",
    "one triage rule of the rule pack in use",
    _parse_columns("""
        rule_id VARCHAR stable id
        triage_level VARCHAR the level it calls for
        condition VARCHAR its condition
        sentence VARCHAR the condition in words
        reference VARCHAR where the article says it
        basis VARCHAR stated by the article, or inferred from it
    """),
)
CAUSES = Table(
    "causes",
    "one likely cause of the rule pack in use, and undetermined",
    _parse_columns("""
        cause_category VARCHAR its category
        likely_cause VARCHAR its name
        label VARCHAR its name for people
    """),
)
FIELDS = Table(
    "fields",
    "one field of which the answer can be missing",
    _parse_columns("""
        field VARCHAR its name
        meaning VARCHAR what is asked
    """),
)
STATE = Table(
    "state",
    "one fact about the state as a whole",
    _parse_columns("""
        key VARCHAR name of the fact
        value VARCHAR its value
    """),
)
RULE_PACKS = Table(
    "rule_packs",
    "one version of the rule pack that tagged records here",
    _parse_columns("""
        rule_pack VARCHAR its version
        number INTEGER its number
        article VARCHAR the article it reads
        first_used TIMESTAMPTZ when it first tagged a record here
        content VARCHAR the pack as TOML text
    """),
)
SIGNATURES = Table(
    "signatures",
    "one signature under a rule pack",
    _parse_columns("""
        rule_pack VARCHAR version of the pack
        name VARCHAR who signed
        role VARCHAR in which role
        signed_on DATE the day of the signature
        recorded_at TIMESTAMPTZ when it was recorded here
    """),
)
ASSESSMENTS = Table(
    "assessments",
    "one assessment of a week by the clinical lead; one written later stands beside the published page",
    _parse_columns("""
        week VARCHAR the week that it is about
        name VARCHAR who wrote it
        contact VARCHAR how to reach the writer
        text VARCHAR the assessment
        written_at TIMESTAMPTZ when it was recorded here
    """),
)
DENOMINATORS = Table(
    "denominators",
    "one number of people that reports are set against, as the file named in the settings has it",
    _parse_columns("""
        region VARCHAR the region
        age_band VARCHAR the age band; NULL for all ages
        week VARCHAR the one week that it is for; NULL for every week
        denominator_kind VARCHAR population, or contacts: all contacts of the senders, whatever the complaint
        denominator BIGINT the number
    """),
)
AUDIT = Table(
    "audit",
    "one deed that changed what was stored before: a withdrawn file, a retagged history, a report taken back",
    _parse_columns("""
        happened_at TIMESTAMPTZ when
        action VARCHAR withdraw, forget, retag, restore, migrate, alarm, sign, assess or reset
        subject VARCHAR what it was done to: a file_id, a rule pack, a schema version
        detail VARCHAR what changed, in words and counts
        who VARCHAR the user account that ran the command
        version VARCHAR version of calfwatch
    """),
)
REPORTED_WEEKS = Table(
    "reported_weeks",
    "one week whose report has been published; its numbers are frozen",
    _parse_columns("""
        week VARCHAR the week, such as 2026-W47
        week_start DATE its first day
        reported_at TIMESTAMPTZ when the report was written
        rule_pack VARCHAR version of the rule pack that had tagged the records
        last_delivery INTEGER the latest delivery that the report knew
        version VARCHAR version of calfwatch
        time_zone VARCHAR the time zone in which its days were cut
        week_system VARCHAR iso or mmwr
    """),
)
REPORTED_COUNTS = Table(
    "reported_counts",
    "one published week and series",
    _parse_columns("""
        week VARCHAR the week, such as 2026-W47
        week_start DATE its first day
        series VARCHAR what is counted, such as triage_level=emergency
        reports BIGINT the count as it was reported
    """),
)

RELEASES = Table(
    "releases",
    "one week that was released to the public, held back or withdrawn; a week has one row for ever",
    _parse_columns("""
        week VARCHAR the week, such as 2026-W46
        week_start DATE its first day
        status VARCHAR released, held_back (its audit failed) or withdrawn (its numbers were taken away again)
        released_on DATE day of the decision, in the reporting time zone
        method VARCHAR how the counts were made safe: hide up to 7, round to 5
        incomplete BOOLEAN whether a sender that was expected was missing; NULL for a week held back
        note VARCHAR public: why it was withdrawn
        first_moment TIMESTAMPTZ when the week began; no other released week shares a moment or a day with it
        last_moment TIMESTAMPTZ when the next week began
        released_at TIMESTAMPTZ when the decision was stored
        who VARCHAR the user account that released it
        version VARCHAR version of calfwatch
        rule_pack VARCHAR version of the rule pack that had tagged the records; NULL if taken over from public.duckdb
        hide_up_to INTEGER the largest count that was hidden
        hidden_cells INTEGER hidden counts, with those of regions that are not listed
        unlisted_regions INTEGER regions stored here without a row; NULL if taken over from public.duckdb
        possible_values INTEGER the smallest number of values that a hidden count can still have; NULL if none is hidden
        possible_values_of VARCHAR the hidden count that it is about
        warnings VARCHAR what was warned of
        withdrawn_at TIMESTAMPTZ when it was withdrawn
        withdrawn_by VARCHAR the user account that withdrew it
        time_zone VARCHAR the time zone in which the week began; all that were used, if taken over from public.duckdb
        published BOOLEAN whether the public files have told of it; false only after a run that was killed
    """),
)
RELEASED_COUNTS = Table(
    "released_counts",
    "one published week, attribute and value, as disclosed; a week of status withdrawn keeps its rows here alone",
    _parse_columns("""
        week VARCHAR the week, such as 2026-W46
        week_start DATE its first day
        attribute VARCHAR total, triage_level, likely_cause, region, age_band or sex
        value VARCHAR the level, cause, region, age band or sex; all for the total
        reports BIGINT number of reports, rounded to 5; NULL if hidden
        at_least BIGINT the smallest number of reports that this can mean
        at_most BIGINT the largest number of reports that this can mean
    """),
)

_WEEK = """
    week VARCHAR the week, such as 2026-W47
    week_start DATE its first day
"""
_COUNTS = """
    reports BIGINT number of records
    share DOUBLE 0-1 of the week's reports; NULL in a week without reports
    previous_week BIGINT the count of the week before; NULL where that week is not covered
"""
_OTHER_LEVELS = """
    contact_doctor BIGINT records of them tagged contact_doctor
    self_care BIGINT records of them tagged self_care
    unresolved BIGINT records of them tagged unresolved
    severe_pain BIGINT records of them with a pain score of 7 or more
"""


def _make_weekly_table(name: str, grain: str, *parts: str) -> Table:
    return Table(
        name, f"one covered week{grain}", _parse_columns("\n".join((_WEEK.strip(), *(p.strip() for p in parts))))
    )


WEEKLY_SIGNAL_TABLES = (
    _make_weekly_table(
        "weekly_sources",
        " or one that has none of its reports, and source",
        """
        source VARCHAR the sender
        state VARCHAR reported, zero, partial, missing, silent (missing for more than eight weeks) or not_expected
        reports BIGINT number of its records
        usual DOUBLE median of its last eight weeks that it reported, whole or in part; NULL before it has three
        joined BOOLEAN whether the week is one of its first eight
        rhythm VARCHAR daily, weekdays, weekly, or none: nothing is expected of it
        """,
    ),
    _make_weekly_table(
        "weekly_signals",
        ", series and method",
        """
        series VARCHAR what is counted, such as triage_level=emergency
        observed BIGINT the week's count of the senders that can be compared; of all senders if none can
        reports BIGINT the week's count of all senders
        expected DOUBLE the count that the history lets expect
        lower DOUBLE 0.025 quantile of the law that gives the p-value
        upper DOUBLE 0.975 quantile of that law; a count above it has a p-value of at most 0.025
        method VARCHAR the statistical method: EARS C1, EARS C2, or Farrington flexible with its years b
        is_primary BOOLEAN whether level and trend are read from this row: one method for each week and series
        status VARCHAR alarm, none or not_evaluable
        reason VARCHAR why it cannot be judged, or which series it repeats report for report
        p_value DOUBLE probability of such a count or a higher one
        rank INTEGER order of strength among the week's alarms
        level VARCHAR below, within or above the range of the primary row; NULL if it was not judged
        trend VARCHAR rising, falling or steady over four weeks, of the same senders; NULL if they cannot be compared
        sources INTEGER number of senders that can be compared
        left_out VARCHAR names of the other senders of which something is expected or came
        """,
    ),
    _make_weekly_table(
        "weekly_nowcast",
        ", series and age; the age is in whole weeks by each sender's clock: past weeks as they stood at that moment",
        """
        series VARCHAR all, triage_level=emergency or triage_level=contact_doctor
        age_weeks INTEGER whole weeks from the week's end to the sender's clock; 0 within 3 days of the end
        is_latest BOOLEAN whether this is the week's age now
        reported_so_far BIGINT records that had come by that age
        expected_final DOUBLE records to be expected in the end; NULL if there is no nowcast
        lower DOUBLE 0.05 quantile of it
        upper DOUBLE 0.95 quantile of it
        previous_so_far BIGINT records of the week before that the same senders had sent by the same age
        change VARCHAR more or fewer than the week before in the end, or not clear: the interval holds both
        reason VARCHAR why there is no nowcast or no interval
        sources INTEGER number of senders that are counted
        left_out VARCHAR names of the senders that are not counted: their week is a part, or has not got so far
        """,
    ),
)

WEEKLY_INDICATORS = _make_weekly_table(
    "weekly_indicators",
    " and count that is no triage level: judged as in weekly_signals, by its primary row, and no cause for an alarm",
    """
    indicator VARCHAR could_be_emergency, serious_signs or severe_pain
    observed BIGINT the week's count of the senders that can be compared; of all senders if none can
    reports BIGINT the week's count of all senders
    expected DOUBLE the count that the history lets expect
    lower DOUBLE 0.025 quantile of its law
    upper DOUBLE 0.975 quantile of its law
    method VARCHAR the statistical method: EARS C1, or Farrington flexible with its years b
    reason VARCHAR why it cannot be judged
    level VARCHAR below, within or above the range; NULL if it was not judged
    trend VARCHAR rising, falling or steady over four weeks, of the same senders; NULL if they cannot be compared
    """,
)

WEEKLY_VIEWS = (
    _make_weekly_table(
        "weekly_triage",
        " and triage level",
        "triage_level VARCHAR the level tagged",
        _COUNTS,
        "could_be_emergency BIGINT records of them whose ceiling is emergency",
    ),
    _make_weekly_table(
        "weekly_causes",
        " and likely cause",
        "cause_category VARCHAR category, or undetermined\nlikely_cause VARCHAR cause, or undetermined",
        _COUNTS,
    ),
    _make_weekly_table(
        "weekly_regions",
        " and region",
        "region VARCHAR region, or unknown",
        _COUNTS,
        "emergency BIGINT records of them tagged emergency",
        _OTHER_LEVELS,
    ),
    _make_weekly_table(
        "weekly_rates",
        ", region with a denominator, and age band with one",
        "region VARCHAR the region",
        "age_band VARCHAR the age band; NULL for all ages",
        "is_whole_region BOOLEAN whether it is the region as a whole, all ages",
        "denominator_kind VARCHAR population, or contacts",
        "denominator BIGINT the number of people, or of contacts",
        "reports BIGINT number of records",
        "emergency BIGINT records of them tagged emergency",
        "reports_rate DOUBLE records per 100,000",
        "emergency_rate DOUBLE emergencies per 100,000",
    ),
    _make_weekly_table(
        "weekly_demographics",
        ", age band and sex",
        "age_band VARCHAR age band, or unknown\nsex VARCHAR sex, or unknown",
        _COUNTS,
        "emergency BIGINT records of them tagged emergency",
        _OTHER_LEVELS,
    ),
    _make_weekly_table(
        "weekly_rules",
        " and triage rule",
        "rule_id VARCHAR the triage rule\ntriage_level VARCHAR the level it calls for",
        _COUNTS.replace("number of records", "records in which it was TRUE"),
    ),
    _make_weekly_table(
        "weekly_missing_answers",
        " and field",
        "field VARCHAR the field",
        _COUNTS.replace("number of records", "records with the field among their missing answers"),
        "unresolved BIGINT those of them that are unresolved",
        "settles BIGINT those of these that lack no other answer: this one settles each of them, whatever it is",
    ),
    _make_weekly_table(
        "weekly_quality",
        ", source, measure and item; a file counts in the week of its delivery clock, a rejected one when it was tried",
        "source VARCHAR the sender",
        "measure VARCHAR files_*, rows_*, quarantine_reason, completeness, median_delay_days or late_share",
        "item VARCHAR the field, or column: check; NULL for the other measures",
        "value DOUBLE count of files, rows or cells, share 0-1, or days",
    ),
    _make_weekly_table(
        "weekly_symptoms",
        " and yes/no field of the rule pack",
        """
        field VARCHAR the field
        yes BIGINT records that answer yes
        no BIGINT records that answer no
        unknown BIGINT records without an answer
        share DOUBLE yes as a share, 0-1, of the records with an answer; NULL without any
        """,
    ),
    _make_weekly_table(
        "weekly_distributions",
        ", numeric field and value that has reports",
        """
        field VARCHAR pain_score, duration_days, or a number of the pack's own
        value INTEGER the number; NULL where unknown
        reports BIGINT number of records
        share DOUBLE 0-1 of the week's reports
        """,
    ),
    _make_weekly_table(
        "weekly_rule_pairs",
        " and pair of triage rules that fired together",
        """
        rule_id VARCHAR a triage rule
        other_rule_id VARCHAR another one, later in the alphabet
        reports BIGINT records in which both were TRUE
        """,
    ),
    _make_weekly_table(
        "weekly_source_levels",
        " and source that has reports of it",
        "source VARCHAR the sender\nreports BIGINT number of records",
        "emergency BIGINT records of them tagged emergency",
        _OTHER_LEVELS,
    ),
    _make_weekly_table(
        "weekly_source_rules",
        ", source and triage rule that fired",
        "source VARCHAR the sender\nrule_id VARCHAR the triage rule\ntriage_level VARCHAR the level it calls for",
        "reports BIGINT records in which it was TRUE\nshare DOUBLE 0-1 of the source's reports of the week",
    ),
    _make_weekly_table(
        "weekly_source_missing_answers",
        ", source and field that some record lacks",
        """
        source VARCHAR the sender
        field VARCHAR the field
        reports BIGINT records with the field among their missing answers
        share DOUBLE 0-1 of the source's reports of the week
        unresolved BIGINT those of them that are unresolved
        settles BIGINT those of these that lack no other answer: this one settles each of them, whatever it is
        """,
    ),
    *WEEKLY_SIGNAL_TABLES,
    WEEKLY_INDICATORS,
    _make_weekly_table(
        "weekly_revisions",
        " and series that changed after its report was published",
        """
        series VARCHAR what is counted
        as_reported BIGINT the count in the published report
        as_known_now BIGINT the count now
        difference BIGINT now minus then
        reason VARCHAR late or corrected records, withdrawn file, another rule pack: all that apply
        """,
    ),
)
# tables, not views: filled once a run
STORED_WEEKLY = ("weekly_signals", "weekly_indicators", "weekly_revisions", "weekly_sources", "weekly_nowcast")
# of the others, those that say of a week what the ledger or the denominators say too
OF_OTHER_TABLES = ("weekly_quality", "weekly_rates")

DAILY_SIGNALS = Table(
    "daily_signals",
    "one day of the latest eight weeks and series: the seven days up to it against those of the weeks before",
    _parse_columns("""
        report_date DATE the last of the seven days
        week VARCHAR the week that it is in
        week_start DATE first day of that week
        series VARCHAR triage_level=emergency, or a region of it
        observed BIGINT the count of the seven days, of the daily senders that can be compared
        expected DOUBLE the count that the history lets expect
        lower DOUBLE 0.025 quantile of the law that gives the p-value
        upper DOUBLE 0.975 quantile of that law
        status VARCHAR alarm, none or not_evaluable
        reason VARCHAR why it cannot be judged
        p_value DOUBLE probability of such a count or a higher one
        is_first BOOLEAN whether it is the first alarm of an episode: an alarm that goes on tells once
        sources INTEGER number of senders that can be compared
    """),
)
ALARM_EPISODES = Table(
    "alarm_episodes",
    "one alarm of a series that goes on: it ends after two judged weeks without an alarm",
    _parse_columns("""
        series VARCHAR what is counted
        first_week VARCHAR first week with an alarm
        first_start DATE first day of that week
        last_week VARCHAR last week with an alarm
        last_start DATE first day of that week
        weeks INTEGER number of weeks with an alarm
        peak BIGINT the highest count of such a week
        latest BIGINT the count of the last week with an alarm
        state VARCHAR new, continuing, over, or closed: looked into; at twice the count that it then had it is new again
        note VARCHAR the latest note on it
        noted_at TIMESTAMPTZ when it was written
        noted_by VARCHAR the user account that wrote it
    """),
)
ALARM_NOTES = Table(
    "alarm_notes",
    "one thing that was noted on an alarm; it is kept when signals are worked out anew",
    _parse_columns("""
        noted_at TIMESTAMPTZ when
        noted_by VARCHAR the user account that ran the command
        action VARCHAR note, close or reopen
        series VARCHAR the series of the alarm
        first_start DATE first day of the first week of the alarm as it then was
        last_start DATE first day of its last week as it then was
        reports BIGINT the count of that last week
        text VARCHAR what was found out
    """),
)

# dimensions that are counted, or stand for ever
LEVEL_NAMES = Table(
    "levels",
    "one triage level",
    _parse_columns("""
        triage_level VARCHAR its name
        rank INTEGER how urgent it is: 3 emergency, 2 contact_doctor, 1 unresolved, 0 self_care
        meaning VARCHAR when a record gets it
    """),
)
REGIONS = Table(
    "regions",
    "one region that has reports, and unknown if some have none",
    _parse_columns("""
        region VARCHAR region, or unknown
        reports BIGINT number of records
        first_date DATE day of the first
        last_date DATE day of the last
    """),
)
SOURCES = Table(
    "sources",
    "one sender of which a file was taken",
    _parse_columns("""
        source VARCHAR the sender
        files BIGINT its accepted files
        reports BIGINT number of its records
        first_date DATE day of the first report
        last_date DATE day of the last report
        clock DATE the sender's time: the latest day that its deliveries reached
        rhythm VARCHAR daily, weekdays, weekly, or none, as it was last set; NULL before its first week
    """),
)
DIMENSION_VIEWS = (LEVEL_NAMES, REGIONS, SOURCES)
_PRIVATE_OF_FILES = ("file_id", "path", "tried_with", "run_id", "columns")
PUBLISHED_FILES = Table(
    "files",
    "one delivered file, without where it lay",
    tuple(column for column in FILES.columns if column.name not in _PRIVATE_OF_FILES),
)

ABOUT = Table(
    "about",
    "the snapshot as a whole",
    _parse_columns("""
        rule_pack VARCHAR version of the rule pack in use
        complaint VARCHAR the complaint it is about
        time_zone VARCHAR the reporting time zone, in which days are cut
        week_system VARCHAR iso or mmwr
        latest_week VARCHAR the last complete covered week
        first_report TIMESTAMPTZ earliest report
        last_report TIMESTAMPTZ latest report
        last_delivery INTEGER the latest delivery that is counted
        published_at TIMESTAMPTZ when the snapshot was made
        deeds INTEGER the audited deeds, such as withdrawals, that it counts
        version VARCHAR version of calfwatch
        rule_pack_content VARCHAR the rule pack as TOML text
    """),
)

SIGNAL_COUNTS = Table(
    "signal_counts",
    "one week, source and series or indicator: its reports, from which the week is judged",
    _parse_columns("""
        week_start DATE first day of the week
        source VARCHAR the source
        series VARCHAR the series, as weekly_signals names it, or the number that weekly_indicators judges
        reports BIGINT reports of the week
    """),
)

SIGNAL_FITS = Table(
    "signal_fits",
    "one fit of Farrington flexible: the same counts give the same fit, so it is not made again",
    _parse_columns("""
        week_start DATE first day of the week that it was needed for
        fit_key UBIGINT hash of the counts, shares, model matrix and settings that were fitted
        expected DOUBLE expected count; NaN if the fit does not converge
        phi DOUBLE overdispersion
    """),
)

SIGNAL_INPUTS = Table(
    "signal_inputs",
    "one week: what its rows in weekly_signals and weekly_indicators were judged from",
    _parse_columns("""
        week_start DATE first day of the week
        digest UBIGINT hash of all counts and states of senders up to this week, the names, and the settings
    """),
)

TOUCHED_DAYS = Table(
    "touched_days",
    "one day of which records came, changed or went since the snapshot was published",
    _parse_columns("""
        report_date DATE the day
    """),
)

SMALL_TABLES = (
    *(FILES, QUARANTINE, WARNED_CELLS, *DAILY_TABLES, DELIVERY_DAYS, CALENDAR, RULES, CAUSES, FIELDS, STATE),
    *(RULE_PACKS, SIGNATURES, ASSESSMENTS, DENOMINATORS, AUDIT, REPORTED_WEEKS, REPORTED_COUNTS),
    *(RELEASES, RELEASED_COUNTS),
    *(DAILY_SIGNALS, ALARM_EPISODES, ALARM_NOTES, SIGNAL_COUNTS, SIGNAL_FITS, SIGNAL_INPUTS, TOUCHED_DAYS),
    *ERASURE_TABLES,
)


def list_stored_tables(pack: Pack) -> tuple[Table, ...]:
    """Return every base table of records.duckdb."""
    weekly = tuple(view for view in WEEKLY_VIEWS if view.name in STORED_WEEKLY)
    return (make_records_table(pack), make_superseded_table(pack), *SMALL_TABLES, *weekly)


def list_stored_views(pack: Pack) -> tuple[Table, ...]:
    """Return every view of records.duckdb."""
    weekly = (view for view in WEEKLY_VIEWS if view.name not in STORED_WEEKLY)
    return (make_reports_table(pack), WARNINGS, *weekly, *DIMENSION_VIEWS)


def list_counted_weekly() -> tuple[Table, ...]:
    """Return the published tables of which a week's rows depend on the days of it and of the week before alone."""
    return tuple(view for view in WEEKLY_VIEWS if view.name not in (*STORED_WEEKLY, *OF_OTHER_TABLES))


def list_published_tables() -> tuple[Table, ...]:
    """Return every table of summaries.duckdb: counts only, no record, no cell of a file."""
    signals, pack = (DAILY_SIGNALS, ALARM_EPISODES), (RULES, CAUSES, FIELDS, SIGNATURES)
    dimensions = (*DIMENSION_VIEWS, PUBLISHED_CALENDAR, PUBLISHED_FILES)
    return (DAILY_SUMMARY, *WEEKLY_VIEWS, *signals, *pack, *dimensions, ASSESSMENTS, ABOUT)


def quoted_sql(text: str) -> str:
    """Return a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
