"""Pulumi components, one a module. `TOKENS` is their register; a test holds the code against it."""

from __future__ import annotations

from balai.components.fleet import Fleet
from balai.components.foundation import Foundation
from balai.components.public_service import PublicService
from balai.components.tenant_space import TenantSpace

TOKENS = {
    "balai:fleet:Fleet": Fleet,
    "balai:cluster:Foundation": Foundation,
    "balai:tenancy:TenantSpace": TenantSpace,
    "balai:tenancy:PublicService": PublicService,
}

__all__ = ["TOKENS", "Fleet", "Foundation", "PublicService", "TenantSpace"]
