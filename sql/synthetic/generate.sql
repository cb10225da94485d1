-- Macros of the synthetic report generator; pipelines/synthetic.py fills in what is in braces, and the blocks.
--
-- Every choice is integer arithmetic on the report's number and the run's keys (seed, size, weeks). random()
-- and hash() are not used: their values depend on threads and on the DuckDB version, these do not.

-- The 32-bit mixer "lowbias32" of C. Wellons' hash-prospector: two multiplications, three folds. It is a
-- bijection, so that different numbers keep different keys. Below 2^32 no product leaves 64 bits.
CREATE MACRO fold(x, bits) AS xor(x, x >> bits);
CREATE MACRO times(x, factor) AS (x * factor) & 4294967295::UBIGINT;
CREATE MACRO mix32(x) AS fold(times(fold(times(fold(x, 16), 2146121005::UBIGINT), 15), 2221713035::UBIGINT), 16);

-- 0..65535, evenly: multiply-shift hashing of a report's two keys, with two random odd numbers below 2^31 for
-- every choice (a stream). Two keys, so that no four streams are tied by a small linear relation.
CREATE MACRO draw(key_1, key_2, odd_1, odd_2)
    AS (((key_1 * odd_1::UBIGINT + key_2 * odd_2::UBIGINT) >> 16) & 65535::UBIGINT)::INTEGER;

-- Letters alone, because a run of digits could be taken for a phone number or a national id; no vowels, no words.
-- The first key alone makes the names unique; half of the second keeps those of other runs apart.
CREATE MACRO letter(x, place) AS substr('BCDFGHJKLMNPQRST', 1 + ((x >> (4 * place)) & 15::UBIGINT)::INTEGER, 1);
CREATE MACRO report_name(key_1, key_2) AS concat(
    'R', letter(key_1, 7), letter(key_1, 6), letter(key_1, 5), letter(key_1, 4),
    letter(key_1, 3), letter(key_1, 2), letter(key_1, 1), letter(key_1, 0),
    letter(key_2, 3), letter(key_2, 2), letter(key_2, 1), letter(key_2, 0));

CREATE MACRO yes_no(is_blank, is_yes) AS CASE WHEN is_blank THEN NULL WHEN is_yes THEN 'yes' ELSE 'no' END;

-- Reports of one day and one delivery file, numbered first_row to first_row + row_count - 1.
CREATE TABLE blocks (
    part_number INTEGER,       -- written in one go: a delivery file, or some of its days
    file_number INTEGER,       -- in delivery order
    day_number INTEGER,        -- days since 1970-01-01
    first_row BIGINT,          -- number of the block's first report, unique in the whole output
    row_count BIGINT,
    is_late BOOLEAN,           -- delivered in a later file than its day's
    outbreak_share INTEGER,    -- of 65536 reports, how many are the outbreak's
    summer_share INTEGER       -- of 65536 other reports, how many follow the summer mix of causes
);

-- One row per synthetic case of one part, in the order of day and time: who it is, before any question.
CREATE MACRO synthetic_cases(wanted_part) AS TABLE (
    WITH numbered AS (
        SELECT *, unnest(range(first_row, first_row + row_count)) AS report_number
        FROM blocks
        WHERE part_number = wanted_part
    ),

    scrambled AS (
        SELECT *, mix32(report_number::UBIGINT) AS scrambled_number FROM numbered
    ),

    keyed AS (
        SELECT *,
            mix32(xor(scrambled_number, {run_1}::UBIGINT)) AS key_1,
            mix32(xor(scrambled_number, {run_2}::UBIGINT)) AS key_2
        FROM scrambled
    ),

    origin AS (
        SELECT *,
            draw(key_1, key_2, {s_outbreak}) < outbreak_share AS is_outbreak,
            draw(key_1, key_2, {s_season}) < summer_share AS is_summer,
            draw(key_1, key_2, {s_cause}) AS cause_draw,
            draw(key_1, key_2, {s_region}) AS region_draw,
            draw(key_1, key_2, {s_severity}) AS severity_draw,
            draw(key_1, key_2, {s_age}) AS age_draw,
            draw(key_1, key_2, {s_sex}) AS sex_draw,
            draw(key_1, key_2, {s_form}) AS form_draw,
            draw(key_1, key_2, {s_pain}) AS pain_draw,
            draw(key_1, key_2, {s_duration}) AS duration_draw,
            -- even steps over the day, each jittered inside itself: 0..1048575, ascending with the number
            ((report_number - first_row) * 1048576 + draw(key_1, key_2, {s_time}) * 16) // row_count AS day_part
        FROM keyed
    ),

    -- numbers from 1, to look up the lists below
    placed AS (
        SELECT *,
            CASE WHEN is_outbreak THEN {outbreak_cause} WHEN is_summer THEN {summer_cause} ELSE {winter_cause} END
                AS cause_number,
            CASE WHEN is_outbreak THEN {outbreak_region} WHEN is_late THEN {late_region} ELSE {region} END
                AS region_number,
            1 + (day_part // 8192)::INTEGER AS day_slot
        FROM origin
    ),

    graded AS (
        SELECT *,
            1 + (severity_draw >= ({severity_1})[cause_number])::INTEGER
              + (severity_draw >= ({severity_2})[cause_number])::INTEGER AS severity_number,
            1 + (form_draw >= ({form_1})[region_number])::INTEGER
              + (form_draw >= ({form_2})[region_number])::INTEGER AS form_number,
            ({slot_start})[day_slot] + (({slot_seconds})[day_slot] * (day_part % 8192)) // 8192 AS second_of_day,
            1 + duration_draw // 4096 AS duration_slot
        FROM placed
    ),

    profiled AS (
        SELECT *, 3 * (cause_number - 1) + severity_number AS profile FROM graded
    )

    SELECT
        report_name(key_1, key_2) AS report_id,
        key_1, key_2,
        DATE '1970-01-01' + day_number + to_seconds(second_of_day::BIGINT) AS reported_at,
        cause_number, severity_number, profile, is_outbreak, region_number, form_number,
        age_draw, sex_draw, pain_draw, duration_draw, duration_slot
    FROM profiled
);

-- The cases of the part in hand.
CREATE TABLE cases AS FROM synthetic_cases(-1);

-- One row per case: the columns of the canonical CSV, in their order.
CREATE VIEW reports AS (
    SELECT
        report_id,
        strftime(reported_at, '%Y-%m-%dT%H:%M:%SZ') AS reported_at,
        CASE WHEN draw(key_1, key_2, {s_no_region}) >= {no_region} THEN ({region_names})[region_number] END AS region,
        CASE WHEN draw(key_1, key_2, {s_no_age}) >= ({no_person})[form_number] THEN {age_band} END AS age_band,
        CASE WHEN draw(key_1, key_2, {s_no_sex}) >= ({no_person})[form_number] THEN {sex} END AS sex,
        -- two bytes added: a triangle of -3..3 around the profile's usual score
        CASE WHEN draw(key_1, key_2, {s_no_pain}) >= ({no_number})[form_number]
            THEN greatest(0, least(10, ({pain})[profile] + ((pain_draw % 256 + pain_draw // 256) * 7) // 511 - 3))
        END AS pain_score,
        -- the profile's median times a long-tailed multiplier, both in hundredths
        CASE WHEN draw(key_1, key_2, {s_no_duration}) >= ({no_number})[form_number]
            THEN least(3650, (({duration})[profile] * (({stretch})[duration_slot]
                + ((({stretch})[duration_slot + 1] - ({stretch})[duration_slot]) * (duration_draw % 4096)) // 4096
            )) // 10000)
        END AS duration_days,
        {answers}
    FROM cases
);

-- One row per case, in the same order: what it really was. Never part of what is ingested.
CREATE VIEW labels AS (
    SELECT
        report_id,
        ({cause_names})[cause_number] AS true_cause,
        ({severity_names})[severity_number] AS severity,
        CASE WHEN is_outbreak THEN 'yes' ELSE 'no' END AS outbreak,
        ({form_names})[form_number] AS form
    FROM cases
);
