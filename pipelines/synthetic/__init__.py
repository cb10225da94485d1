"""Synthetic calf pain reports of nobody: believable, invented, and the same bytes for the same arguments."""

from pipelines.synthetic.model import CAUSES, REGIONS, Files, list_symptom_fields
from pipelines.synthetic.outbreak import Outbreak
from pipelines.synthetic.writing import generate

__all__ = ["CAUSES", "REGIONS", "Files", "Outbreak", "generate", "list_symptom_fields"]
