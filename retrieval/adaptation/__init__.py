"""Fits a small adapter to the catalog that it will serve, and adopts it only where that helps."""

from retrieval.adaptation.adapting import AdaptReport, FoldScores, adapt, remove

__all__ = ["AdaptReport", "FoldScores", "adapt", "remove"]
