"""Files, locks, memory and processes of the machine."""
