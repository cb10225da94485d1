"""Weekly counts become expected ranges and alarms."""

from pipelines.signals.aberration import ears
from pipelines.signals.farrington import farrington_flexible

__all__ = ["ears", "farrington_flexible"]
