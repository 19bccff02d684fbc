"""Registries: only where users name things in text (studies, instruments, extension schemas)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from personae.core._errors import InputError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to things. Built-ins and outside plug-ins (entry points `personae.<group>`) use the same door."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._items: dict[str, T] = {}
        self._scanned = False

    def add(self, name: str, item: T) -> T:
        """Register `item`; a second different thing of the same name is an error."""
        if name in self._items and self._items[name] is not item:
            raise InputError(f"{self.group} {name!r} is registered twice.", hint="Give one of them another name.")
        self._items[name] = item
        return item

    def get(self, name: str) -> T:
        """The thing called `name`.

        Raises:
            InputError: nothing has that name; the nearest one is suggested.
        """
        self._scan()
        if name not in self._items:
            near = difflib.get_close_matches(name, list(self._items), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(self._items)) or 'none'}."
            raise InputError(f"There is no {self.group} {name!r}.", hint=hint)
        return self._items[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        self._scan()
        return sorted(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        for point in entry_points(group=f"personae.{self.group}"):
            if point.name not in self._items:
                self._items[point.name] = point.load()
