"""Pulumi components, one a module. `TOKENS` is their register; a test holds the code against it."""

from __future__ import annotations

from balai.components.data_store import DataStore
from balai.components.fleet import Fleet
from balai.components.foundation import Foundation
from balai.components.internal_api import InternalApi
from balai.components.mall_route import MallRoute
from balai.components.public_service import PublicService
from balai.components.scheduled_job import ScheduledJob
from balai.components.tenant_space import TenantSpace
from balai.components.worker import Worker

TOKENS = {
    "balai:fleet:Fleet": Fleet,
    "balai:cluster:Foundation": Foundation,
    "balai:tenancy:TenantSpace": TenantSpace,
    "balai:tenancy:DataStore": DataStore,
    "balai:tenancy:PublicService": PublicService,
    "balai:tenancy:InternalApi": InternalApi,
    "balai:tenancy:MallRoute": MallRoute,
    "balai:tenancy:Worker": Worker,
    "balai:tenancy:ScheduledJob": ScheduledJob,
}

__all__ = [
    "TOKENS",
    "DataStore",
    "Fleet",
    "Foundation",
    "InternalApi",
    "MallRoute",
    "PublicService",
    "ScheduledJob",
    "TenantSpace",
    "Worker",
]
