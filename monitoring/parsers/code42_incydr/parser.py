"""Code42: names of processes stand in their paths."""

from monitoring.parsers._endpoint import refine

__all__ = ["refine"]
