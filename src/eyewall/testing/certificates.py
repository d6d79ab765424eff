"""Certificates for tests, made anew in each process that asks for them."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple


class CertificateFiles(NamedTuple):
    """Files of a server's certificate chain and key, and of the authority that signed it."""

    chain: str
    key: str
    authority: str


@functools.cache
def certificate_files() -> CertificateFiles:
    """A certificate for 127.0.0.1, ::1 and localhost; removed when the process ends.

    Raises:
        RuntimeError: trustme is not installed.
    """
    try:
        import trustme  # noqa: PLC0415 - an optional dependency
    except ImportError as exc:
        raise RuntimeError("tests over TLS need trustme: pip install 'eyewall[testing]'") from exc
    folder = Path(tempfile.mkdtemp(prefix="eyewall-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "::1", "localhost")
    files = CertificateFiles(*(str(folder / name) for name in ("chain.pem", "key.pem", "ca.pem")))
    for at, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(files.chain, append=at > 0)
    issued.private_key_pem.write_to_path(files.key)
    authority.cert_pem.write_to_path(files.authority)
    return files
