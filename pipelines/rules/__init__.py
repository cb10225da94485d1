"""What a rule pack means: compiled to SQL, decided exactly, checked. Pure: no database, no files."""
