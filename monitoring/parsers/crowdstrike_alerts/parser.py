"""CrowdStrike's alerts: names of processes and files stand in their paths."""

from monitoring.parsers._endpoint import refine

__all__ = ["refine"]
