"""The way to a host: over TLS that is verified, through the proxies of the environment."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tessellar.config import Settings
from tessellar.errors import Unavailable
from tessellar.net import Remote, Transport, run, transfer
from tessellar.store import Store
from tests.webserver import running

SETTINGS = Settings(attempts=1, connect_timeout=2.0, idle_timeout=5.0)


def get(url: str) -> bytes:
    async def ask() -> bytes:
        async with Transport(SETTINGS) as transport:
            return (await transport.get(url)).body

    return run(ask())


@pytest.fixture
def secure(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*request, *names], check=True, capture_output=True)

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        log_message = lambda *_: None  # noqa: E731

        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(tmp_path), **options)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}", certificate
    server.shutdown()
    server.server_close()
    thread.join()


def test_files_come_over_tls_and_a_stranger_s_certificate_is_refused(secure, tmp_path, monkeypatch):
    url, certificate = secure
    (tmp_path / "a.dat").write_bytes(bytes(3_000_000))
    remote = Remote("mast:a", f"{url}/a.dat", "a.dat")
    outcomes = []
    run(transfer([remote], Store(tmp_path / "out", flat=True), SETTINGS, outcomes))
    assert isinstance(outcomes[0].error, Unavailable)
    assert "certificate" in str(outcomes[0].error)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    outcomes = []
    run(transfer([remote], Store(tmp_path / "out", flat=True), SETTINGS, outcomes))
    assert outcomes[0].error is None, outcomes[0].error
    assert outcomes[0].kept.size == 3_000_000


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_the_proxies_of_the_environment_are_used(monkeypatch, variable):
    with running() as proxy, running() as near:
        proxy.files["http://archive.invalid/a.dat"] = b"through the proxy"
        near.files["/a.dat"] = b"straight"
        monkeypatch.setenv(variable, proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert get("http://archive.invalid/a.dat") == b"through the proxy"
        assert get(f"{near.url}/a.dat") == b"straight"
        assert len(proxy.requests) == 1
