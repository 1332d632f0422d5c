"""A Postgres in a container. To import this module takes the extra ``container``."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import docker
import docker.errors
import docker.utils
import psycopg
import requests
from testcontainers.community.postgres import PostgresContainer

from eventlive_db.server.errors import ContainerError
from eventlive_db.server.model import Server

PROBE_TIMEOUT_S = 2
_API_VERSION = "1.41"
_CHECKSUMS_BY_DEFAULT = 18
_OTHER_WAYS = "or leave out EVENTLIVE_POSTGRES=container to use a Postgres of this machine"


def _message(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}"


def _knock() -> None:
    """Connect to the engine's Unix socket if it has one; docker leaks the socket of a failed attempt."""
    address = docker.utils.parse_host(os.environ.get("DOCKER_HOST"))
    scheme, _, path = address.partition("://")
    if scheme == "http+unix":
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_TIMEOUT_S)
            probe.connect(path)


@contextmanager
def _engine() -> Iterator[Any]:
    """A client of the engine that answers.

    Raises:
        ContainerError: None does.
    """
    try:
        _knock()
        client = docker.from_env(version=_API_VERSION, timeout=PROBE_TIMEOUT_S)
        client.ping()
    except (OSError, docker.errors.DockerException, requests.exceptions.RequestException) as exc:
        msg = f"no container engine answers; start Docker or set DOCKER_HOST, {_OTHER_WAYS} ({_message(exc)})"
        raise ContainerError(msg) from exc
    try:
        yield client
    finally:
        client.close()


def probe() -> str:
    """Version of the container engine.

    Raises:
        ContainerError: No engine answers; known within about two seconds.
    """
    with _engine() as client:
        return str(client.version()["Version"])


def _image_major(image: str) -> int | None:
    """Have the image here, pulled if need be; its PG_MAJOR, which official images declare."""
    with _engine() as client:
        try:
            try:
                found = client.images.get(image)
            except docker.errors.ImageNotFound:
                client.api.timeout = 600
                found = client.images.pull(image)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as exc:
            msg = f"the image {image} is not here and cannot be pulled; "
            msg += f"set EVENTLIVE_POSTGRES_IMAGE to one that is, {_OTHER_WAYS} ({_message(exc)})"
            raise ContainerError(msg) from exc
        variables = dict(entry.partition("=")[::2] for entry in found.attrs["Config"]["Env"] or [])
        major = variables.get("PG_MAJOR", "")
        return int(major) if major.isdigit() else None


@contextmanager
def container_server(image: str, *, settings: Mapping[str, str]) -> Iterator[Server]:
    """Run a container for as long as the context lasts; it is removed at the end.

    A killed program's container is removed by testcontainers' reaper (Ryuk), unless that has been disabled.

    Args:
        image: A Postgres image that follows the official one's contract.
        settings: Cluster settings, passed to the server as ``-c name=value``.

    Raises:
        ContainerError: No engine answers, the image cannot be had, or the server in it does not start.
    """
    major = _image_major(image)
    command = ["postgres"]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    initdb = "--no-sync --no-data-checksums" if (major or 0) >= _CHECKSUMS_BY_DEFAULT else "--no-sync"
    password = secrets.token_urlsafe(24)
    container = PostgresContainer(image, username="postgres", password=password, dbname="postgres", driver=None)
    container.with_command(command)
    # A path of its own: where images keep their data differs between majors.
    container.with_tmpfs_mount("/eventlive").with_env("PGDATA", "/eventlive/data")
    container.with_env("POSTGRES_INITDB_ARGS", initdb)
    try:
        try:
            container.start()
            host, port = container.get_container_host_ip(), container.get_exposed_port(5432)
            dsn = f"postgresql://postgres:{quote(password, safe='')}@{host}:{port}/postgres"
            with psycopg.connect(dsn) as connection:
                version_num = connection.info.server_version
        except Exception as exc:
            msg = f"the container of {image} did not start: {_message(exc)}"
            raise ContainerError(_with_logs(msg, container)) from exc
        yield Server(kind="container", version_num=version_num, admin_dsn=dsn, admin_tcp_dsn=dsn)
    finally:
        container.stop()


def _with_logs(message: str, container: Any) -> str:
    if container.get_wrapped_container() is None:
        return message
    text = b"".join(container.get_logs()).decode("utf-8", "replace")
    return "\n".join([message, "--- end of its log ---", *text.splitlines()[-20:]])
