"""Strict data models of the estate. See `base` for how a file becomes one."""

from __future__ import annotations

from balai.models.base import Model, load
from balai.models.flow import Flow, Flows
from balai.models.place import Agency, Calendar, Cluster, DataCentre, LedgerEntry, Region
from balai.models.site import Devices, Site, Sizes
from balai.models.tenant import Tenant

__all__ = [
    "Agency",
    "Calendar",
    "Cluster",
    "DataCentre",
    "Devices",
    "Flow",
    "Flows",
    "LedgerEntry",
    "Model",
    "Region",
    "Site",
    "Sizes",
    "Tenant",
    "load",
]
