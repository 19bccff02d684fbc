"""Keys of inventories whose wording belongs to somebody: we ship the numbers, the user brings the text."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from personae.core import Frozen, InputError, Instrument, Item, Registry, ResponseOption, SchemaError
from personae.instruments._load import DATA, load_instrument, parse_instrument, read_mapping

keys: Registry[Path] = Registry("instrument key")
"""Keys by name. Packages add theirs through the entry point group `personae.instrument key`."""

for _file in sorted((DATA / "keys").glob("*.yaml")):
    keys.add(_file.stem, _file)

_PLACEHOLDER: Final = "item {id}"


class KeyedItem(Frozen):
    """Where an item counts, and which way; not what it says."""

    id: str
    scale: str
    facet: str | None = None
    key: Literal[1, -1] = 1


class KeySheet(Frozen):
    """The key of an inventory: everything but the words of its items."""

    name: str
    title: str
    licence: str
    source: str
    instructions: str
    stem: str = "{item}"
    answer_prefix: str = ""
    options: tuple[ResponseOption, ...]
    scales: dict[str, str]
    items: tuple[KeyedItem, ...] = Field(min_length=1)

    def scoring(self) -> Instrument:
        """An instrument that scores answers somebody already gave; its items only have numbers, so it cannot ask."""
        return self._instrument({i.id: _PLACEHOLDER.format(id=i.id) for i in self.items}, suffix="_key")

    def with_texts(self, texts: Mapping[str, str] | Path | str) -> Instrument:
        """The instrument with the user's own wording of the items.

        Args:
            texts: item id to text; or the path of a JSON or YAML mapping, of a CSV with the columns `id` and `text`,
                or of a text file with one item a line, in order.

        Raises:
            InputError: items without a text, texts without an item, or a file that cannot be read; they are named.
        """
        given = dict(texts) if isinstance(texts, Mapping) else _texts(Path(texts), [i.id for i in self.items])
        known = {i.id for i in self.items}
        missing = [i.id for i in self.items if not given.get(i.id, "").strip()]
        unknown = sorted(set(given) - known)
        if missing or unknown:
            told = [f"no text for item {', '.join(missing)}"] if missing else []
            told += [f"no item {', '.join(unknown)}"] if unknown else []
            raise InputError(
                f"texts of {self.name!r}: {'; '.join(told)}.", hint=f"Expected {len(known)} texts, one for each id."
            )
        return self._instrument(given)

    def _instrument(self, texts: Mapping[str, str], suffix: str = "") -> Instrument:
        body = self.model_dump(mode="json", exclude={"items", "name"})
        items = [Item(id=i.id, text=texts[i.id], scale=i.scale, facet=i.facet, key=i.key) for i in self.items]
        return parse_instrument({**body, "name": f"{self.name}{suffix}", "items": items}, where=self.name)


def load_key(name: str | Path) -> KeySheet:
    """The key of that name (`bfi2s`, `pvq21`), or the one in that YAML or JSON file.

    Raises:
        InputError: no such name (the nearest is suggested) or file.
        SchemaError: the file does not fit.

    Example:
        >>> sheet = load_key("bfi2s")
        >>> len(sheet.items), sheet.items[15].facet
        (30, 'sociability')
    """
    from pydantic import ValidationError

    from personae.core import schema_error

    is_path = isinstance(name, Path) or str(name).endswith((".yaml", ".yml", ".json"))
    path = Path(name) if is_path else keys.get(str(name))
    body: Any = read_mapping(path)
    try:
        return KeySheet.model_validate(dict(body))
    except ValidationError as error:
        raise schema_error(error, where=path.name, model=KeySheet) from error


def load_inventory(name: str, texts: str | Path | None = None, *, ask: bool = False) -> Instrument:
    """An instrument by name or file, or the key of one whose wording is somebody's, with the user's text if given.

    Args:
        name: as for `load_instrument` or `load_key`.
        texts: wording of the items of a key, see `KeySheet.with_texts`; without it a key only scores.
        ask: it will be put to somebody, so its items need words.

    Raises:
        InputError: no such name, texts that do not fit, or a key without words where words are needed.

    Example:
        >>> load_inventory("bfi2s").name, load_inventory("ipip30").name
        ('bfi2s_key', 'ipip30')
    """
    if texts:
        return load_key(name).with_texts(texts)
    if name not in keys:
        return load_instrument(name)
    if ask:
        raise InputError(
            f"{name!r} is a key without words, so it cannot be asked.",
            hint="Give the wording of its items (a file, one item a line), or take an inventory that has its own.",
        )
    return load_key(name).scoring()


def _texts(path: Path, ids: list[str]) -> dict[str, str]:
    if path.suffix.lower() in {".yaml", ".yml", ".json"}:
        return {str(k): str(v) for k, v in read_mapping(path).items()}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read the item texts {str(path)!r}: {error}.", hint="Give a UTF-8 file.") from error
    if path.suffix.lower() == ".csv":
        rows = csv.DictReader(io.StringIO(text))
        if not {"id", "text"} <= set(rows.fieldnames or ()):
            raise SchemaError(f"{path.name}: columns {rows.fieldnames}, expected id and text.")
        return {str(row["id"]): str(row["text"] or "") for row in rows}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != len(ids):
        raise InputError(f"{path.name}: {len(lines)} lines, expected {len(ids)}, one item each.")
    return dict(zip(ids, lines, strict=True))
