"""Tasks: loss, metric, direction and batches."""
