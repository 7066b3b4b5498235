"""Automatic choices, with their reasons."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """An automatic choice with its reason, as the record keeps it."""

    what: str
    chosen: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.chosen} ({self.why})"
