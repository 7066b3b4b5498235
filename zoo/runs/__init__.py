"""Run folders: written while training, read back afterwards, set side by side."""
