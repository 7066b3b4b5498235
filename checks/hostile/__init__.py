"""What the checks with hostile input share: limits, a sandbox, workers, and ways to spoil recipes and files."""
