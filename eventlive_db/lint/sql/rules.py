"""Every rule: its stable token, and what it asks for. What finds its faults stands in the module of its group."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        token: Stable and machine-readable.
        asks: One sentence for people.
        default: Whether it is on where the configuration does not say.
    """

    token: str
    asks: str
    default: bool = True


_RULES = (
    Rule("parse.syntax", "What is to be SQL can be parsed."),
    Rule("resolve.relation", "A table or view that is named exists."),
    Rule("resolve.column", "A column, field or variable that is named exists."),
    Rule("resolve.alias", "A name in front of a dot is a table of the query."),
    Rule("resolve.function", "A function that is called exists."),
    Rule("resolve.argument", "A call gives a function what it takes."),
    Rule("resolve.type", "The type of a column, parameter, variable or cast exists."),
    Rule("resolve.object", "A policy, trigger, index, type or sequence that is named as such exists."),
    Rule("body.when_others", "No exception handler catches whatever may happen."),
    Rule(
        "body.exception_in_hot_path", "No function of the hot path has an exception block: it costs a subtransaction."
    ),
    Rule("body.raise_40001", "No function raises serialization_failure, which gateways repeat without end."),
    Rule("body.dynamic_sql", "No EXECUTE of a text outside of what is allowed to."),
    Rule("body.unqualified", "A body names the schema of what is the project's own."),
    Rule("query.select_star", "Columns are named, so that a new one changes no result."),
    Rule("query.now_in_conflict", "ON CONFLICT DO UPDATE takes the time from excluded or a variable, not from now()."),
    Rule("object.comment", "Every object has a comment."),
    Rule("object.search_path", "A function that runs as its owner sets its search_path."),
    Rule("object.exposed_definer", "No function in an exposed schema runs as its owner."),
    Rule("object.public_execute", "EXECUTE is taken from public in the file that makes a function."),
    Rule("object.row_security", "Every table has row security enabled."),
    Rule("contract.touches", "A function touches the tables that its contract says, and no other."),
    Rule("contract.only", "None but the functions that are named does this to the table."),
    Rule("migration.chain", "Every migration has its place in one chain, and its SQL beside it."),
    Rule("migration.header", "A migration begins with the words that say it is frozen."),
    Rule("migration.lock_timeout", "lock_timeout is set before the first statement that waits for a lock."),
    Rule(
        "migration.index_not_concurrent",
        "An index on a table that exists is built concurrently, outside of a transaction.",
    ),
    Rule(
        "migration.constraint_validated", "A constraint on a table that exists is added not valid, and validated later."
    ),
    Rule(
        "migration.set_not_null",
        "SET NOT NULL on a table that exists follows a validated check, for it reads all of it.",
    ),
    Rule("migration.rewrite", "No statement rewrites a table that exists."),
    Rule("migration.volatile_default", "A column added to a table that exists has no volatile default."),
    Rule("migration.down_missing", "Every migration has a way back."),
    Rule("migration.down_incomplete", "The way back leaves what was there before, and nothing else."),
    Rule("allow.reason", "An exception from a rule says why."),
    Rule("allow.unused", "An exception from a rule is needed."),
)

RULES = {rule.token: rule for rule in _RULES}
