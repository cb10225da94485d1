-- One row if the attached snapshot may be brought up to date in place: it is the one of the last publication and of this
-- version, and nothing was taken out of the records since, or cut otherwise; it has the published tables and no other
-- thing; and little of it is old.
SELECT 1
FROM snapshot.about AS published, temp.about AS own
WHERE (published.version, published.deeds, published.time_zone, published.week_system, published.rule_pack)
  IS NOT DISTINCT FROM (own.version, own.deeds, own.time_zone, own.week_system, own.rule_pack)
  AND epoch_us(published.published_at)::VARCHAR = (SELECT value FROM state WHERE key = 'published_at')
  AND (
    SELECT list(name ORDER BY name) FROM (
      SELECT table_name AS name FROM duckdb_tables() WHERE database_name = 'snapshot'
      UNION ALL
      SELECT view_name FROM duckdb_views() WHERE database_name = 'snapshot' AND NOT internal
      UNION ALL
      SELECT index_name FROM duckdb_indexes() WHERE database_name = 'snapshot'
    )
  ) = ${tables}
  AND (SELECT 3 * free_blocks <= total_blocks FROM pragma_database_size() WHERE database_name = 'snapshot')
