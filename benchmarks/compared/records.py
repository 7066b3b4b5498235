"""The file of figures: one record for each measurement, the newest in the place of the one before."""

import json
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Records:
    """Measurements by kind, point and name, in a JSON file that is written after each; and where each was made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, Record] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def put(self, kind: str, of: str, record: Record) -> None:
        """Keep a record, and write the file."""
        self.found[f"{kind} {of}"] = {"kind": kind, **record}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(dict(sorted(self.found.items())), indent=1, ensure_ascii=False)
        self.path.write_text(f"{text}\n", encoding="utf-8")

    def of(self, kind: str) -> list[Record]:
        """All records of a kind."""
        return [record for record in self.found.values() if record["kind"] == kind]
