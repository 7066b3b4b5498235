"""Named networks."""
