"""Strict data models of the estate. See `base` for how a file becomes one."""

from __future__ import annotations

from balai.models.base import Model, load
from balai.models.duty import Counts, Facilities, Reports, Satisfaction
from balai.models.enrolment import EnrolledMachine, Enrolment, Hub, Hubs
from balai.models.fleet import Cluster, DataCentre, Image, Kubernetes, MachineClass, Machines, Release
from balai.models.flow import Flow, Flows
from balai.models.package import Packages
from balai.models.place import Agency, Calendar, Freeze, LedgerEntry, Region
from balai.models.screen import Profile, Screens
from balai.models.site import Devices, Site, Sizes
from balai.models.tenant import Tenant

__all__ = [
    "Agency",
    "Calendar",
    "Cluster",
    "Counts",
    "DataCentre",
    "Devices",
    "EnrolledMachine",
    "Enrolment",
    "Facilities",
    "Flow",
    "Flows",
    "Freeze",
    "Hub",
    "Hubs",
    "Image",
    "Kubernetes",
    "LedgerEntry",
    "MachineClass",
    "Machines",
    "Model",
    "Packages",
    "Profile",
    "Region",
    "Release",
    "Reports",
    "Satisfaction",
    "Screens",
    "Site",
    "Sizes",
    "Tenant",
    "load",
]
