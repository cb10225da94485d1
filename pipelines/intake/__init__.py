"""A delivered file becomes a checked file: found, read, adapted, screened, validated. It stores nothing."""
