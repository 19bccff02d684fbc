"""Scenes: projections, schedulers, stops, guards, probes. The log is append-only, told from nobody's point of view."""

from personae.simulation._audit import audit_rows, converse_until_clean
from personae.simulation._dialogue import CLIENT, RESPONDER, Dialogue, converse
from personae.simulation._guards import Degenerate, Echo, Guard, Identity, Objection
from personae.simulation._kind_probes import boundary_items, consistency_items
from personae.simulation._probes import ProbeItem, probe, probe_items
from personae.simulation._projection import OPENING, Heard, Mode, egocentric, project
from personae.simulation._records import conversation_rows
from personae.simulation._scene import Scene, sessions, simulate, step
from personae.simulation._schedule import Alternating, RoundRobin, Scheduler
from personae.simulation._stops import Closing, FirstOf, Stop, Stuck, TurnCap
from personae.simulation._sync import simulate_sync

__all__ = [
    "CLIENT",
    "OPENING",
    "RESPONDER",
    "Alternating",
    "Closing",
    "Degenerate",
    "Dialogue",
    "Echo",
    "FirstOf",
    "Guard",
    "Heard",
    "Identity",
    "Mode",
    "Objection",
    "ProbeItem",
    "RoundRobin",
    "Scene",
    "Scheduler",
    "Stop",
    "Stuck",
    "TurnCap",
    "audit_rows",
    "boundary_items",
    "consistency_items",
    "conversation_rows",
    "converse",
    "converse_until_clean",
    "egocentric",
    "probe",
    "probe_items",
    "project",
    "sessions",
    "simulate",
    "simulate_sync",
    "step",
]
