"""Faults for the lints of a database: each with what finds it, the sentence it gets, and how it is put right."""

from __future__ import annotations

from dataclasses import dataclass

BASE = """
create schema app;
create schema app_api;
grant usage on schema app_api to anon, authenticated;
create function app.me() returns uuid language plpgsql stable set search_path = pg_catalog, pg_temp
    as $$ begin return current_setting('app.me', true)::uuid; end $$;
revoke all on function app.me() from public;
create table app.item (id int primary key, owner uuid, title text);
alter table app.item enable row level security;
create policy own on app.item for select to authenticated using (owner = (select app.me()));
create view app_api.item with (security_invoker = true) as select id, title from app.item;
"""
"""Two schemas in which nothing is found: ``app`` is private, ``app_api`` exposed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        rule: What finds it, and nothing else does.
        plant: SQL that makes it, in the schemas of ``BASE``.
        object: What the finding is about.
        sentence: What the finding says.
        repair: SQL that makes it good.
        level: Of the finding.
    """

    rule: str
    plant: str
    object: str
    sentence: str
    repair: str
    level: str = "warning"


FUNCTION = (
    "create function {name} returns int language {how} as $$ {body} $$; revoke all on function {name} from public;"
)
FIXED = "plpgsql set search_path = pg_catalog, pg_temp"

FAULTS = [
    Fault(
        "rls_disabled",
        "create table app.open (id int primary key)",
        "app.open",
        "Row security is off on app.open: whoever is granted the table has all of its rows.",
        "alter table app.open enable row level security;"
        "create policy own on app.open for select to authenticated using (id = 1)",
        "error",
    ),
    Fault(
        "policy_without_rls",
        "alter table app.item disable row level security",
        "app.item",
        "app.item has policies (own), but row security is off, so they do nothing.",
        "alter table app.item enable row level security",
        "error",
    ),
    Fault(
        "no_policy",
        "drop policy own on app.item; grant select on app.item to authenticated",
        "app.item",
        "app.item has row security but no policy: clients are granted it and see no row.",
        "create policy own on app.item for select to authenticated using (id = 1)",
    ),
    Fault(
        "no_policy",
        "drop policy own on app.item",
        "app.item",
        "app.item has row security, no policy and no grant to a client: only its owner reads it.",
        "create policy own on app.item for select to authenticated using (id = 1)",
        "info",
    ),
    Fault(
        "policy_per_row",
        "alter policy own on app.item using (owner = app.me())",
        "policy own on app.item",
        "own on app.item calls app.me outside a sub-select, and so once for every row.",
        "alter policy own on app.item using (owner = (select app.me()))",
    ),
    Fault(
        "policy_per_row",
        "alter policy own on app.item using (owner = current_setting('app.me', true)::uuid)",
        "policy own on app.item",
        "own on app.item calls pg_catalog.current_setting outside a sub-select, and so once for every row.",
        "alter policy own on app.item using (owner = (select current_setting('app.me', true))::uuid)",
    ),
    Fault(
        "policy_per_row",
        FUNCTION.format(name="app.mine(int)", how=FIXED, body="begin return 1; end")
        + "alter policy own on app.item using (app.mine(id) = 1)",
        "policy own on app.item",
        "own on app.item calls app.mine with a column, and so once for every row.",
        "alter policy own on app.item using (id = (select app.mine(1)))",
    ),
    Fault(
        "policy_per_row",  # it looks like a sub-select that runs once, and depends on the row
        FUNCTION.format(name="app.mine(int)", how=FIXED, body="begin return 1; end")
        + "alter policy own on app.item using ((select app.mine(item.id)) = 1)",
        "policy own on app.item",
        "own on app.item calls app.mine with a column, and so once for every row.",
        "alter policy own on app.item using (exists (select from app.item i where i.id = (select app.mine(1))))",
    ),
    Fault(
        "policy_always_true",
        "create policy anything on app.item for update to authenticated using (1 = 1) with check (true)",
        "policy anything on app.item",
        "anything on app.item lets authenticated update any row: its condition is the same for every row.",
        "alter policy anything on app.item using (owner = (select app.me())) with check (owner = (select app.me()))",
        "error",
    ),
    Fault(
        "policy_always_true",
        "create policy anything on app.item for insert to authenticated with check (true)",
        "policy anything on app.item",
        "anything on app.item lets authenticated insert any row: its condition is the same for every row.",
        "alter policy anything on app.item with check (false)",
        "error",
    ),
    Fault(
        "policy_always_true",  # deleting asks no WITH CHECK
        "drop policy own on app.item;"
        "create policy anything on app.item to authenticated using (true) with check (false)",
        "policy anything on app.item",
        "anything on app.item lets authenticated insert, update, delete any row:"
        " its condition is the same for every row.",
        "alter policy anything on app.item using (owner = (select app.me()))",
        "error",
    ),
    Fault(
        "policy_to_public",
        "create policy seen on app.item for delete using (owner = (select app.me()))",
        "policy seen on app.item",
        "seen on app.item is for every role, for nobody is named after TO.",
        "alter policy seen on app.item to authenticated",
    ),
    Fault(
        "policy_user_metadata",
        "alter policy own on app.item"
        " using (title = (select current_setting('jwt')::json -> 'user_metadata' ->> 'title'))",
        "policy own on app.item",
        "own on app.item reads user_metadata, in which a user may write anything.",
        "alter policy own on app.item"
        " using (title = (select current_setting('jwt')::json -> 'app_metadata' ->> 'title'))",
        "error",
    ),
    Fault(
        "multiple_permissive_policies",
        "create policy titled on app.item to authenticated using (title = 'x') with check (title = 'x')",
        "app.item",
        "authenticated has 2 permissive policies on app.item for select: own, titled."
        " Each of them is worked out for every query.",
        "drop policy titled on app.item;"
        "create policy titled on app.item as restrictive to authenticated using (title = 'x')",
    ),
    Fault(
        "function_search_path",
        FUNCTION.format(name="app.two()", how="plpgsql security definer", body="begin return 2; end"),
        "app.two()",
        "app.two() runs as its owner and has no fixed search_path: a caller can put code of their own under it.",
        "alter function app.two() set search_path = pg_catalog, pg_temp",
        "error",
    ),
    Fault(
        "function_search_path",
        FUNCTION.format(name="app.two()", how="sql", body="select 2"),
        "app.two()",
        "app.two() has no fixed search_path: what its names mean depends on the caller.",
        "create or replace function app.two() returns int language sql return 2",
    ),
    Fault(
        "search_path_without_pg_temp",
        FUNCTION.format(
            name="app.two()", how="plpgsql security definer set search_path = ''", body="begin return 2; end"
        ),
        "app.two()",
        'app.two() runs as its owner with search_path = "": temporary tables and types of the caller come first.',
        "alter function app.two() set search_path = pg_catalog, pg_temp",
    ),
    Fault(
        "definer_in_exposed_schema",
        FUNCTION.format(name="app_api.two()", how=f"{FIXED} security definer", body="begin return 2; end"),
        "app_api.two()",
        "app_api.two() runs as its owner and lies in an exposed schema.",
        "alter function app_api.two() security invoker",
        "error",
    ),
    Fault(
        "execute_for_public",
        "grant execute on function app.me() to public",
        "app.me()",
        "app.me() may be executed by public, and so by every role there is or will be.",
        "revoke execute on function app.me() from public",
    ),
    Fault(
        "execute_for_public",
        "alter function app.me() security definer; grant execute on function app.me() to public",
        "app.me()",
        "app.me() may be executed by public, and so by every role there is or will be.",
        "revoke execute on function app.me() from public",
        "error",
    ),
    Fault(
        "execute_for_public",
        # Postgres makes functions for the type, which nobody can make better.
        "create type app.span as range (subtype = int4);"
        "create function app.width(app.span) returns int language plpgsql set search_path = pg_catalog, pg_temp"
        " as $$ begin return upper($1) - lower($1); end $$",
        "app.width(app.span)",
        "app.width(app.span) may be executed by public, and so by every role there is or will be.",
        "revoke execute on function app.width(app.span) from public",
    ),
    Fault(
        "execute_for_public",
        "create type app.span as range (subtype = int4);"
        "create function app.span_of(int, int) returns app.span language internal immutable"
        " set search_path = pg_catalog, pg_temp as 'range_constructor2'",
        "app.span_of(integer,integer)",
        "app.span_of(integer,integer) may be executed by public, and so by every role there is or will be.",
        "revoke execute on function app.span_of(int, int) from public",
    ),
    Fault(
        "unindexed_foreign_key",
        "alter table app.item add parent int, add constraint of_parent foreign key (parent) references app.item",
        "app.item",
        "Foreign key of_parent (parent) of app.item has no index that begins with its columns.",
        "create index on app.item (parent, id)",
    ),
    Fault(
        "duplicate_index",
        "create index one on app.item (owner) where id > 1; create index two on app.item (owner) where id > 1",
        "app.item",
        "app.one, app.two of app.item are the same index.",
        "drop index app.two; create index two on app.item (owner) where id > 2",
    ),
    Fault(
        "redundant_index",
        "create index short on app.item (owner); create index long on app.item (owner, title)",
        "app.short",
        "app.long begins with all columns of app.short.",
        "drop index app.long; create index long on app.item (title, owner)",
        "info",
    ),
    Fault(
        "no_primary_key",
        "create table app.heap (id int); alter table app.heap enable row level security;"
        "create policy own on app.heap for select to authenticated using (id = 1)",
        "app.heap",
        "app.heap has no primary key.",
        "alter table app.heap add primary key (id)",
    ),
    Fault(
        "view_of_the_owner",
        "alter view app_api.item set (security_invoker = false)",
        "app_api.item",
        "app_api.item reads its tables as its owner, so no policy holds for whoever reads it.",
        "alter view app_api.item set (security_invoker = on)",
        "error",
    ),
    Fault(
        "exposed_materialized_view",
        "create materialized view app_api.kept as select 1 as id; grant select (id) on app_api.kept to anon",
        "app_api.kept",
        "app_api.kept is a materialized view that anon may read: it holds the rows of whoever refreshed it.",
        "revoke select (id) on app_api.kept from anon",
    ),
    Fault(
        "exposed_foreign_table",
        "create foreign data wrapper app; create server app foreign data wrapper app;"
        "create foreign table app_api.far (id int) server app; grant select on app_api.far to anon, authenticated",
        "app_api.far",
        "app_api.far is a foreign table that anon, authenticated may read: it has no row security.",
        "revoke select on app_api.far from anon, authenticated",
    ),
    Fault(
        "view_of_auth_users",
        "create schema auth; create table auth.users (id int); create view app.people as select id from auth.users;"
        "create view app_api.people with (security_invoker = true) as select id from app.people",
        "app_api.people",
        "app_api.people reads auth.users, which holds e-mail addresses, phone numbers and password hashes.",
        "drop view app_api.people",
        "error",
    ),
    Fault(
        "extension_in_public",
        "create extension hstore schema public",
        "extension hstore",
        "Extension hstore lies in schema public, where clients find its functions.",
        "create schema extensions; alter extension hstore set schema extensions",
    ),
    Fault(
        "client_may_write",
        "grant insert (title), delete on app.item to authenticated",
        "app.item",
        "authenticated may delete, insert app.item.",
        "revoke insert (title), delete on app.item from authenticated",
    ),
    Fault(
        "client_may_write",
        "grant truncate on app.item to anon",
        "app.item",
        "anon may truncate app.item.",
        "revoke truncate on app.item from anon",
        "error",
    ),
    Fault(
        "client_may_use_sequence",
        "create sequence app.numbers; grant usage, select on app.numbers to anon",
        "app.numbers",
        "anon may select, usage sequence app.numbers.",
        "revoke all on app.numbers from anon",
    ),
    Fault(
        "client_may_create",
        "grant create on schema app_api to public; revoke create on schema app_api from authenticated;"
        "revoke create on schema app_api from public; grant create on schema app_api to anon",
        "schema app_api",
        "anon may create objects in schema app_api, and so put functions of their own under the names of others.",
        "revoke create on schema app_api from anon",
        "error",
    ),
    Fault(
        "private_schema_usable",
        "grant usage on schema app to authenticated",
        "schema app",
        "authenticated has USAGE on schema app, which is not exposed: what is granted in it can be reached by name.",
        "revoke usage on schema app from authenticated",
    ),
    Fault(
        "invalid_index",
        "create index titles on app.item (title);"
        "update pg_index set indisvalid = false where indexrelid = 'app.titles'::regclass",
        "app.titles",
        "Index app.titles of app.item is invalid: every write pays for it and no query uses it.",
        "reindex index app.titles",
        "error",
    ),
    Fault(
        "unlogged_table",
        "create unlogged table app_api.quick (id int primary key); alter table app_api.quick enable row level security;"
        "create policy own on app_api.quick for select to authenticated using (id = 1)",
        "app_api.quick",
        "app_api.quick is unlogged: after a crash it is empty.",
        "alter table app_api.quick set logged",
    ),
    Fault(
        "default_privileges",
        "alter default privileges for role eventlive_owner in schema app grant select, insert on tables to anon",
        "default privileges of eventlive_owner in schema app",
        "New tables of eventlive_owner in schema app are granted to anon: insert, select.",
        "alter default privileges for role eventlive_owner in schema app revoke all on tables from anon",
        "info",
    ),
]

CLEAN_UP = """
drop schema if exists app, app_api, auth, extensions cascade;
drop extension if exists hstore;
drop foreign data wrapper if exists app cascade;
"""
