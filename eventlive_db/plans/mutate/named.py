"""Faults that a suite names itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eventlive_db.plans.case import Case
from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.mutate.catalog import Catalog
from eventlive_db.plans.mutate.model import Mutant
from eventlive_db.plans.suite import NamedMutation


def named(catalog: Catalog, mutations: Iterable[NamedMutation], cases: tuple[Case, ...]) -> Iterator[Mutant]:
    """The suite's own mutations, as far as a chosen case may see them.

    Raises:
        SuiteError: A function that there is not, or once only, or a text that is not in it.
    """
    chosen = [case.name for case in cases]
    for mutation in mutations:
        names = tuple(name for name in chosen if not mutation.cases or name in mutation.cases)
        if names:
            yield Mutant(
                operator="named",
                name=mutation.name,
                sql=mutation.sql or _replaced(catalog, mutation),
                cases=names,
                advice="tighten the budget of the case that should see it",
                failure_kills=True,
                larger=True,
            )


def _replaced(catalog: Catalog, mutation: NamedMutation) -> str:
    where = f"mutation {mutation.name!r}"
    found = [function for function in catalog.functions if function.name == mutation.function]
    if len(found) != 1:
        msg = f"{where}: there {'is no function' if not found else f'are {len(found)} functions'} {mutation.function!r}"
        raise SuiteError(msg, "Write it as schema.function; of several, change one with sql", token="invalid_mutation")
    definition = found[0].definition
    if not mutation.old or mutation.old not in definition:
        msg = f"{where}: the text to replace is not in {mutation.function}"
        raise SuiteError(
            msg,
            f"It has to be as select pg_get_functiondef('{mutation.function}'::regproc) prints it, spaces included",
            token="invalid_mutation",
        )
    return definition.replace(mutation.old, mutation.new)
