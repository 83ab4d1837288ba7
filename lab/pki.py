"""
Keys and certificates of the embedded control plane, made on the spot and kept between runs.

They stand for what a production cluster gets from its own authority. The lifetime is a month,
so that a lab left alone for longer is made anew rather than trusted for ever.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import secrets
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=30)
RENEW_BEFORE = datetime.timedelta(days=3)


class Authority:
    """One certificate authority and the leaves it signs, in one folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.certificate = folder / f"{name}.crt"
        self._key_path = folder / f"{name}.key"
        if not _fresh(self.certificate):
            key = ec.generate_private_key(ec.SECP256R1())
            issued = _builder(name, [], key.public_key(), _name(name, [])).add_extension(
                x509.BasicConstraints(ca=True, path_length=0), critical=True
            )
            write_secret(self._key_path, _pem(key))
            self.certificate.write_bytes(_sign(issued, key))
            for leaf in folder.glob(f"{name}-*"):  # signed by the authority that is no more
                leaf.unlink()
        self._key = _load(self._key_path)
        self._subject = x509.load_pem_x509_certificate(self.certificate.read_bytes()).subject
        self._name = name

    def leaf(self, name: str, groups: list[str] | None = None, hosts: list[str] | None = None) -> tuple[Path, Path]:
        """Return paths of a certificate and its key; hosts make it a server's as well."""
        stem = f"{self._name}-{name.replace(':', '-')}"
        certificate, key_path = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        if _fresh(certificate) and key_path.exists() and _names(certificate) == set(hosts or []):
            return certificate, key_path
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        issued = _builder(name, groups or [], key.public_key(), self._subject).add_extension(
            x509.ExtendedKeyUsage(usages), critical=False
        )
        if hosts:
            issued = issued.add_extension(x509.SubjectAlternativeName(list(map(_alternative, hosts))), critical=False)
        write_secret(key_path, _pem(key))
        certificate.write_bytes(_sign(issued, self._key))
        return certificate, key_path


def _names(certificate: Path) -> set[str]:
    """Return the hosts that a certificate is for."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions
    try:
        names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in names}


def signing_key(path: Path) -> Path:
    """Return the path of a private key that is no certificate's (service-account tokens)."""
    if not path.exists():
        write_secret(path, _pem(ec.generate_private_key(ec.SECP256R1())))
    return path


def encryption_config(path: Path) -> Path:
    """Return the path of the API server's encryption-at-rest configuration, made once."""
    if not path.exists():
        key = {"name": "lab", "secret": base64.b64encode(secrets.token_bytes(32)).decode()}
        write_secret(
            path,
            yaml.safe_dump(
                {
                    "apiVersion": "apiserver.config.k8s.io/v1",
                    "kind": "EncryptionConfiguration",
                    "resources": [
                        {"resources": ["secrets"], "providers": [{"secretbox": {"keys": [key]}}, {"identity": {}}]}
                    ],
                }
            ).encode(),
        )
    return path


def kubeconfig(
    path: Path,
    server: str,
    authority: Authority,
    user: str,
    groups: list[str] | None = None,
    contexts: tuple[str, ...] = ("cikarang",),
) -> Path:
    """Write a kubeconfig with a client certificate of its own and a context of each name; return its path."""
    certificate, key = authority.leaf(user, groups)
    there = {"server": server, "certificate-authority-data": base64_of(authority.certificate)}
    who = f"{user}@{contexts[0]}"
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts[0],
        "clusters": [{"name": contexts[0], "cluster": there}],
        "users": [
            {
                "name": who,
                "user": {"client-certificate-data": base64_of(certificate), "client-key-data": base64_of(key)},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": contexts[0], "user": who}} for name in contexts],
    }
    return _write_config(path, content)


def join(path: Path, parts: list[Path]) -> Path:
    """Write one kubeconfig with the contexts of several; the first one's is the current."""
    read = [yaml.safe_load(part.read_text()) for part in parts]
    joined = {key: [entry for one in read for entry in one[key]] for key in ("clusters", "users", "contexts")}
    return _write_config(path, {**read[0], **joined})


def _write_config(path: Path, content: dict[str, Any]) -> Path:
    text = yaml.safe_dump(content).encode()
    if not path.exists() or path.read_bytes() != text:
        write_secret(path, text)
    return path


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only root may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
        handle.write(content)
    partial.replace(path)


def _fresh(certificate: Path) -> bool:
    try:
        end = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return False
    return end - RENEW_BEFORE > datetime.datetime.now(datetime.UTC)


def _builder(name: str, groups: list[str], key: Any, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name, groups))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _name(name: str, groups: list[str]) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
        ]
    )


def _sign(issued: x509.CertificateBuilder, key: Any) -> bytes:
    return issued.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # kube-apiserver reads service-account keys in the traditional form only.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _load(path: Path) -> Any:
    return serialization.load_pem_private_key(path.read_bytes(), None)


def base64_of(path: Path) -> str:
    """Return a file as Kubernetes' objects carry one."""
    return base64.b64encode(path.read_bytes()).decode()
