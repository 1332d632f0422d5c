"""``eventlive-db call``: call one function of the contract, for people."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, NoReturn
from uuid import UUID

import typer

from eventlive_db.cli.dsn import DsnOption
from eventlive_db.client import Client, EventliveError, Identity, RpcError, rpc
from eventlive_db.client.calls import API_SCHEMA, as_is
from eventlive_db.client.contract import FUNCTIONS
from eventlive_db.client.functions import Function, Parameter

REFUSED = 1
"""Exit status where the function refused the call."""

FAILED = 2
"""Exit status where the call could not be made."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Call one function of the contract, as somebody.

    \b
        eventlive-db call webinar_create --slug launch --as service
        eventlive-db call webinar_register --webinar ID --as USER-ID --json

    --as says who: the id of a user, guest, or service. The connection's own role has to be a member of anon,
    authenticated and service_role, as a superuser is.

    Exit status: 0; 1 when the function refused the call; 2 when it could not be made.
    """,
)

_TIMES = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]


def _object(text: str) -> Mapping[str, object]:
    """A JSON object from the command line."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not isinstance(value, dict):
        msg = 'a JSON object is wanted, such as \'{"title": "Launch"}\''
        raise typer.BadParameter(msg)
    return value


_OPTIONS: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "uuid": (UUID, {"metavar": "ID"}),
    "text": (str, {}),
    "boolean": (bool, {}),
    "integer": (int, {}),
    "bigint": (int, {}),
    "jsonb": (str, {"metavar": "JSON", "parser": _object}),
    "timestamp with time zone": (datetime, {"formats": _TIMES, "metavar": "TIME"}),
    "uuid[]": (list[UUID], {"metavar": "ID"}),
    "text[]": (list[str], {}),
}

_COMMON: Mapping[str, Any] = {
    "who": Annotated[str, typer.Option("--as", metavar="WHO", help="Who calls: the id of a user, guest, or service.")],
    "claims": Annotated[
        str | None,
        typer.Option(metavar="JSON", parser=_object, help="Further claims, such as email and email_verified."),
    ],
    "dsn": DsnOption,
    "api_schema": Annotated[str, typer.Option(envvar="EVENTLIVE_API_SCHEMA", help="The exposed schema.")],
    "as_json": Annotated[bool, typer.Option("--json", help="Print the reply, or the error, as one JSON object.")],
}
_DEFAULTS = {"claims": None, "dsn": None, "api_schema": API_SCHEMA, "as_json": False}


def _option(parameter: Parameter) -> tuple[str, Any]:
    """A parameter as an option: ``_webinar_id`` is ``--webinar``, of ``_user_ids`` each is a ``--user``."""
    name = parameter.name[1:].removesuffix("_id")
    if parameter.type.endswith("[]"):
        name = name.removesuffix("_ids").removesuffix("s")
    kind, options = _OPTIONS[parameter.type]
    if parameter.optional:
        kind = kind | None
    return parameter.name[1:], Annotated[kind, typer.Option(f"--{name.replace('_', '-')}", **options)]


def _command(function: Function[Any]) -> Callable[..., None]:
    """A command with an option for each parameter of the function."""

    def command(**given: Any) -> None:
        common = {name: given.pop(name) for name in _COMMON}
        _make(function, given, **common)

    parameters = []
    for parameter in function.parameters:
        name, kind = _option(parameter)
        default: Any = None if parameter.optional else inspect.Parameter.empty
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind))
    for name, kind in _COMMON.items():
        default = _DEFAULTS.get(name, inspect.Parameter.empty)
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind))
    vars(command)["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


for _name, _function in FUNCTIONS.items():
    _says = inspect.getdoc(getattr(rpc, _name)) or ""
    app.command(_name, help=_says.partition("\n")[0])(_command(_function))


def _make(
    function: Function[Any],
    arguments: dict[str, Any],
    *,
    who: str,
    claims: Mapping[str, object] | None,
    dsn: str | None,
    api_schema: str,
    as_json: bool,
) -> None:
    identity = _identity(who, claims or {})
    if not dsn:
        typer.echo("eventlive-db: which database? Give --dsn, or set EVENTLIVE_DSN", err=True)
        raise typer.Exit(FAILED)
    try:
        # As it is: a person wants to see all that the server says.
        request = replace(function.call(**arguments), read=as_is)
        with Client(dsn, api_schema=api_schema) as client:
            reply = client.as_user(identity).call(request)
    except EventliveError as error:
        _fail(error, as_json=as_json)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        typer.echo(json.dumps(reply or None))
        return
    rows = reply.items() if isinstance(reply, dict) else [(function.name, "done")]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{name:{width}}  {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")


def _identity(who: str, claims: Mapping[str, object]) -> Identity:
    if who in {"guest", "service"}:
        known = Identity.guest() if who == "guest" else Identity.service()
        return Identity(known.role, {**known.claims, **claims})
    try:
        return Identity.user(UUID(who), **claims)
    except ValueError:
        msg = f"{who!r} is neither the id of a user nor guest nor service"
        raise typer.BadParameter(msg, param_hint="--as") from None


def _fail(error: EventliveError, *, as_json: bool) -> NoReturn:
    if as_json:
        said = {
            "status": error.status,
            "token": error.token,
            "payload": error.payload,
            "message": error.message,
            "hint": error.hint,
            "retry": error.retry,
            "retry_after_s": error.retry_after_s,
            "maybe_done": error.maybe_done,
        }
        typer.echo(json.dumps(said))
    else:
        typer.echo(f"eventlive-db: {error}", err=True)
        if error.payload:
            typer.echo(json.dumps(error.payload, ensure_ascii=False), err=True)
    raise typer.Exit(REFUSED if isinstance(error, RpcError) else FAILED)
