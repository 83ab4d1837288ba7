"""Authorities that a screen trusts, each for the names that its file is called by and for no others."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: authorities
short_description: Certificates of authorities, as Chromium's policies and a machine's own programs take them
description:
  - Reads the files `<domain>.crt` of a folder on the controlling machine; a folder that is not there has none.
  - Each certificate is trusted for names below its domain only.
options:
  _terms:
    description: The folder.
    required: true
  dest:
    description: Folder on the machine into which they are to go.
    type: str
    required: true
  needs:
    description: Names of the effects that the files count for.
    type: list
    elements: str
    default: []
"""


class LookupModule(LookupBase):
    """One entry for each certificate: the policy for Chromium, and the file for what asks by itself."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[Any]:
        """Return the authorities of the folder that is named first."""
        self.set_options(var_options=variables, direct=kwargs)
        return [self._one(path) for path in sorted(Path(terms[0]).glob("*.crt"))]

    def _one(self, path: Path) -> dict[str, Any]:
        text = path.read_text()
        try:
            der = ssl.PEM_cert_to_DER_cert(text.strip())
        except ValueError:
            fix = "Replace it by one, or take it away."
            raise AnsibleLookupError(f"{path} is no certificate in PEM form. {fix}") from None
        dest = f"{self.get_option('dest')}/{path.name}"
        return {
            "policy": {
                "certificate": base64.b64encode(der).decode(),
                "constraints": {"permitted_dns_names": [path.stem], "permitted_cidrs": []},
            },
            "file": {"dest": dest, "content": text, "needs": self.get_option("needs")},
        }
