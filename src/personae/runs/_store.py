"""The writing half of the store. A unit is finished when its transaction is.

Rows are staged as JSON beside the done marker of their unit, in one transaction. When enough rows of a table are
staged they move into a Parquet part: the file is written and synced first, then one transaction forgets the rows and
names the part. A crash in between leaves a file that nobody names; it goes when the run is opened next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from personae.core import (
    InputError,
    Row,
    VersionError,
    naming_errors,
)
from personae.runs._columns import Layout, layout_of
from personae.runs._ledger import DONE, FAILED, Ledger, StoredTable
from personae.runs._parts import Part, UnitIds, damage, damaged, read_part, unpack_units, write_rows, write_table

PART_ROWS: Final = 20_000
PART_SIZE: Final = 8 << 20

_TABLE_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\Z")
_OURS: Final = re.compile(r"part-\d+\.parquet\Z|\.part-\d+\.parquet\.\d+\.tmp\Z")


@dataclass(frozen=True, slots=True)
class Finished:
    """A unit that is ready to be committed. `rows` are (table id, JSON text)."""

    key: str
    stage: str
    failed: bool
    rows: tuple[tuple[int, str], ...]
    seconds: float = 0.0
    replaces: int | None = None
    """id of the committed unit it stands in for"""


@dataclass(frozen=True, slots=True)
class _Removal:
    """Units to forget, the parts that held rows of theirs, and those parts written anew without them."""

    units: UnitIds
    gone: tuple[Part, ...]
    fresh: tuple[Part, ...]


class Store(Ledger):
    """Rows and done markers of one run folder. One process at a time: the run's lock sees to that.

    Args:
        folder: the run folder.
        part_rows: staged rows of a table that make a part.
        part_size: staged characters of a table that make a part.
    """

    def __init__(self, folder: Path, *, part_rows: int = PART_ROWS, part_size: int = PART_SIZE) -> None:
        self._part_rows = part_rows
        self._part_size = part_size
        self._types: dict[type[Row], tuple[int, Layout]] = {}
        super().__init__(folder, read_only=False)
        with naming_errors(self.path):
            query = "SELECT coalesce(max(id), 0), coalesce(max(session), 0) FROM units"
            self._last_id, self._session = self._db.execute(query).fetchone()
            self._sweep()

    def _sweep(self) -> None:
        """Remove files that no transaction names."""
        root = self.folder / "tables"
        for folder in root.iterdir() if root.is_dir() else ():
            named = {p.name for p in self.parts(folder.name)}
            for file in folder.iterdir() if folder.is_dir() else ():
                if _OURS.match(file.name) and file.name not in named:
                    file.unlink()

    def next_session(self) -> int:
        """A number for one execution, larger than any before."""
        self._session += 1
        return self._session

    def encode(self, row: Row, unit: str) -> tuple[int, str]:
        """A row as it is staged: table id and JSON text.

        Raises:
            InputError: the row belongs to another unit, or does not fit its table.
            VersionError: the run's table has other columns.
        """
        known = self._types.get(type(row))
        if known is None:
            known = self._types[type(row)] = self._register(type(row))
        if row.__dict__["unit"] != unit:
            raise InputError(
                f"a {type(row).__name__} says unit {row.__dict__['unit']!r}, but unit {unit!r} returned it.",
                hint="Set `unit` to the key of the unit that does the work.",
            )
        body = row.model_dump_json()
        known[1].check(body)
        return known[0], body

    def _register(self, row_type: type[Row]) -> tuple[int, Layout]:
        if not issubclass(row_type, Row):
            raise InputError(f"a unit returned a {row_type.__name__}, expected evidence rows (subclasses of Row).")
        layout = layout_of(row_type)
        if not _TABLE_NAME.match(layout.table):
            raise InputError(
                f"{row_type.__name__}.table is {layout.table!r}.", hint="Use lower-case letters, digits, underscores."
            )
        known = self._tables.get(layout.table)
        if known is None:
            known = StoredTable(1 + max((t.id for t in self._tables.values()), default=0), layout, saved=False)
            self._tables[layout.table] = known
        old, new = known.layout.columns, layout.columns
        if old != new:
            differing = sorted(n for n in {*old, *new} if old.get(n) != new.get(n))
            raise VersionError(
                f"{self.folder}: table {layout.table!r} was written with other columns than {row_type.__name__} has: "
                f"{', '.join(differing)}.",
                hint="Go on with the release that began the run, or run again into a new folder.",
            )
        return known.id, layout

    def commit(self, batch: Sequence[Finished], session: int) -> None:
        """Make units and their rows durable, all of them or none.

        Raises:
            DiskFullError: what is not committed runs again on resume; what is, stays.
        """
        units: list[tuple[int, str, str, int, int, float]] = []
        rows: list[tuple[int, int, str]] = []
        for id_, item in enumerate(batch, self._last_id + 1):
            units.append((id_, item.key, item.stage, FAILED if item.failed else DONE, session, item.seconds))
            rows.extend((tbl, id_, body) for tbl, body in item.rows)
        replaced = np.array(sorted(i.replaces for i in batch if i.replaces is not None), dtype=np.int64)
        with self._lock, naming_errors(self.path):
            removal = self._plan_removal(replaced) if replaced.size else None
            with self._transaction(durable=removal is not None):
                if removal is not None:
                    self._apply(removal)
                self._save_tables()
                self._db.executemany("INSERT INTO units VALUES (?, ?, ?, ?, ?, ?)", units)
                self._db.executemany("INSERT INTO staged (tbl, unit, body) VALUES (?, ?, ?)", rows)
            self._last_id += len(units)
            self._note_staged(rows)
            if removal is not None:
                self._discard(removal)
            for table in self._tables.values():
                while table.staged_rows >= self._part_rows or table.staged_size >= self._part_size:
                    self._compact(table)

    def _note_staged(self, rows: Sequence[tuple[int, int, str]]) -> None:
        by_id = {t.id: t for t in self._tables.values()}
        for table in by_id.values():
            table.saved = True
        for tbl, _, body in rows:
            table = by_id[tbl]
            table.staged_rows += 1
            table.staged_size += len(body)

    def compact(self) -> None:
        """Move every staged row into parts, so that `tables/` alone holds all the evidence."""
        with self._lock, naming_errors(self.path):
            for table in self._tables.values():
                while table.staged_rows:
                    self._compact(table)
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _compact(self, table: StoredTable) -> None:
        """One part from the oldest staged rows of a table."""
        size, last = 0, 0

        def oldest() -> Generator[tuple[int, str]]:
            nonlocal size, last
            query = "SELECT id, unit, body FROM staged WHERE tbl = ? ORDER BY id LIMIT ?"
            with closing(self._db.cursor()) as cursor:
                for id_, unit, body in cursor.execute(query, (table.id, self._part_rows)):
                    last, size = id_, size + len(body)
                    yield unit, body
                    if size >= self._part_size:
                        return

        with closing(oldest()) as rows:
            part = write_rows(self.folder, table.layout, table.next_part, rows)
        table.next_part += 1
        with self._transaction(durable=True):
            self._name_part(table, part)
            self._db.execute("DELETE FROM staged WHERE tbl = ? AND id <= ?", (table.id, last))
        table.staged_rows -= part.rows
        table.staged_size -= size

    def damaged_parts(self, *, deep: bool) -> list[tuple[Part, str]]:
        """Damaged parts and what is wrong with them. `deep` reads every byte, else size and ends."""
        every = [part for name in self._tables for part in self.parts(name)]
        return [(part, why) for part in every if (why := damage(self.folder, part, deep=deep)) is not None]

    def check(self) -> None:
        """Make sure that no part is truncated or missing.

        Raises:
            CorruptRunError: one is; names the file and its units.
        """
        with naming_errors(self.path):
            for part, why in self.damaged_parts(deep=False):
                raise damaged(self.folder, part, why, self.names(unpack_units(part.units)))

    def repair(self) -> tuple[list[Path], list[str]]:
        """Drop damaged parts and forget exactly the units whose rows they held. Returns the files and the unit keys."""
        with self._lock, naming_errors(self.path):
            bad = [part for part, _ in self.damaged_parts(deep=True)]
            if not bad:
                return [], []
            ids = np.unique(np.concatenate([unpack_units(part.units) for part in bad]))
            keys = self.names(ids)
            removal = self._plan_removal(ids, bad)
            with self._transaction(durable=True):
                self._apply(removal)
            self._discard(removal)
            return [part.path(self.folder) for part in bad], keys

    def _plan_removal(self, ids: UnitIds, bad: Sequence[Part] = ()) -> _Removal:
        """Write the parts that will stand in for those that hold rows of `ids`; nothing is decided yet."""
        gone, fresh = list(bad), list[Part]()
        keys = self.names(ids)
        for name, table in self._tables.items():
            for part in self.parts(name):
                held = unpack_units(part.units)
                if part in bad or not np.isin(held, ids).any():
                    continue
                gone.append(part)
                rest = np.setdiff1d(held, ids)
                if rest.size:
                    fresh.append(self._rewrite(table, part, keys, rest))
        return _Removal(ids, tuple(gone), tuple(fresh))

    def _rewrite(self, table: StoredTable, part: Part, without: Sequence[str], rest: UnitIds) -> Part:
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = read_part(self.folder, part, table.layout, self.names)
        kept = rows.filter(pc.invert(pc.is_in(rows["unit"], value_set=pa.array(without, pa.string()))))
        fresh = write_table(self.folder, table.layout, table.next_part, kept, rest)
        table.next_part += 1
        return fresh

    def _apply(self, removal: _Removal) -> None:
        for part in removal.gone:
            table = self._tables[part.table]
            self._db.execute("DELETE FROM parts WHERE tbl = ? AND number = ?", (table.id, part.number))
        for part in removal.fresh:
            self._name_part(self._tables[part.table], part)
        ids = (json.dumps(removal.units.tolist()),)
        self._db.execute("DELETE FROM staged WHERE unit IN (SELECT value FROM json_each(?))", ids)
        self._db.execute("DELETE FROM units WHERE id IN (SELECT value FROM json_each(?))", ids)

    def _discard(self, removal: _Removal) -> None:
        self._count_staged()
        for part in removal.gone:
            with suppress(OSError):
                part.path(self.folder).unlink(missing_ok=True)

    def _name_part(self, table: StoredTable, part: Part) -> None:
        row = (table.id, part.number, part.rows, part.size, part.sha256, part.units)
        self._db.execute("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?)", row)
        self._db.execute("UPDATE tables SET next_part = ? WHERE id = ?", (part.number + 1, table.id))

    def _save_tables(self) -> None:
        for name, table in self._tables.items():
            if not table.saved:
                row = (table.id, name, table.layout.to_json(), table.next_part)
                self._db.execute("INSERT INTO tables VALUES (?, ?, ?, ?)", row)
