import asyncio

import pytest

from personae.core import Names, Persona
from personae.instruments import (
    administer,
    administer_free_text,
    administer_free_text_sync,
    administer_sync,
    load_instrument,
)

IPIP = load_instrument("ipip50")
ITEMS = ["E1", "A1", "C2"]


@pytest.fixture
def actor(make_actor, make_model):
    traits = {Persona(names=Names(full="Ana Reis")).id: dict.fromkeys("OCEAN", 1.0)}
    return make_actor(make_model(traits, replies=lambda _: ("very accurate", "stop")))


def test_both_ways_give_the_same_rows(actor):
    more = {"rotation": "full", "seed": 3, "unit": "u", "items": ITEMS}
    assert administer_sync(actor, IPIP, normalisation="sum", **more) == asyncio.run(
        administer(actor, IPIP, normalisation="sum", **more)
    )
    assert administer_free_text_sync(actor, IPIP, **more) == asyncio.run(administer_free_text(actor, IPIP, **more))


def test_it_works_inside_a_running_loop(actor):
    async def notebook():
        return administer_sync(actor, IPIP, items=ITEMS)

    assert [r.item for r in asyncio.run(notebook())] == ["E1", "A1", "C2"]
