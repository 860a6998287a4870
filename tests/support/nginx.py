"""A real nginx with the configuration of deploy/nginx in front of a web server."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cluster import ROOT, wait_until
from trackerproject.dev.management.commands.demo import free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

_AROUND = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {site}
}}
"""


def documented_site() -> str:
    """The site of deploy/nginx, with its upstream."""
    folder = ROOT / "deploy" / "nginx"
    return (folder / "upstream.conf").read_text() + (folder / "tracker.conf").read_text()


@contextmanager
def running_nginx(folder: Path, upstream_port: int, site: str = "") -> Iterator[int]:
    """Start nginx in front of a port of this machine; yield its TLS port. Skips where there is no nginx."""
    if NGINX is None or shutil.which("openssl") is None:
        pytest.skip("no nginx or no openssl on this machine (apt-get install nginx-light)")
    port = free_port()
    site = (site or documented_site()).replace("127.0.0.1:8000", f"127.0.0.1:{upstream_port}")
    site = site.replace("listen 443", f"listen 127.0.0.1:{port}").replace("/etc/ssl/tracker", str(folder))
    site = site.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    site = site.replace("/var/log/nginx", str(folder))
    (folder / "nginx.conf").write_text(_AROUND.format(folder=folder, site=site))
    _make_certificate(folder)
    command = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    with (folder / "nginx.out").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(lambda: _listens(port, process), what=(folder / "nginx.out").read_text)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _make_certificate(folder: Path) -> None:
    where = ["-keyout", str(folder / "tracker.key"), "-out", str(folder / "tracker.pem")]
    kind = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run(["openssl", "req", "-x509", *kind, *where], check=True, capture_output=True)


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "nginx ended"
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0
