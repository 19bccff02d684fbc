"""Schema versions. Every stored model names its version; old documents are upgraded one version at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from personae.core._errors import VersionError

_UPGRADES: Final[dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]]] = {}


def upgrade(kind: str, body: dict[str, Any], current: int, *, where: str) -> dict[str, Any]:
    """Bring `body` of `kind` to version `current`.

    Raises:
        VersionError: the version is missing a path, is newer than `current`, or is not a whole number.
    """
    version = body.get("schema_version", current)
    if not isinstance(version, int) or isinstance(version, bool):
        raise VersionError(f"{where}: schema_version is {version!r}, expected a whole number up to {current}.")
    if version > current:
        raise VersionError(
            f"{where}: written by a newer release (schema_version {version}, this release reads up to {current}).",
            hint="Upgrade personae: pip install -U personae",
        )
    while version < current:
        step = _UPGRADES.get((kind, version))
        if step is None:
            raise VersionError(
                f"{where}: schema_version {version} of {kind!r} has no upgrade path to {current}.",
                hint=f"Supported: {sorted(v for k, v in _UPGRADES if k == kind)} and {current}.",
            )
        body = step(body)
        version += 1
        body["schema_version"] = version
    return body


def upgrades(
    kind: str, version: int
) -> Callable[[Callable[[dict[str, Any]], dict[str, Any]]], Callable[[dict[str, Any]], dict[str, Any]]]:
    """Register the function that turns `kind` of `version` into the next version."""

    def add(step: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        _UPGRADES[kind, version] = step
        return step

    return add


@upgrades("persona", 0)
def _persona_0(body: dict[str, Any]) -> dict[str, Any]:
    """Version 0 was the flat card: `name`, demographics at the top, `traits` as T-scores, `bio`, `facts`."""
    social_keys = ("age", "sex", "gender", "ethnicity", "nationality", "residence", "education", "occupation")
    out: dict[str, Any] = {k: v for k, v in body.items() if k not in {*social_keys, "name", "traits", "bio", "facts"}}
    if "name" in body:
        out["names"] = {"full": body["name"]}
    social = {k: body[k] for k in social_keys if k in body}
    if social:
        out["social"] = social
    if "traits" in body:
        out["personal"] = {"big_five": body["traits"]}
    if "bio" in body:
        out["description"] = body["bio"]
    if "facts" in body:
        out["attributes"] = body["facts"]
    return out
