"""Why a record is tagged so, and what another rule pack would change."""
