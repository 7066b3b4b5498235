"""Metrics: what a prediction is worth."""
