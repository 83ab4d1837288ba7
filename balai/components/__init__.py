"""Pulumi components, one a module. `TOKENS` is their register; a test holds the code against it."""

from __future__ import annotations

from balai.components.foundation import Foundation
from balai.components.public_service import PublicService
from balai.components.tenant_space import TenantSpace

TOKENS = {
    "balai:cluster:Foundation": Foundation,
    "balai:tenancy:TenantSpace": TenantSpace,
    "balai:tenancy:PublicService": PublicService,
}

__all__ = ["TOKENS", "Foundation", "PublicService", "TenantSpace"]
