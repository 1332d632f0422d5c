-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

-- What was here before, so that stepping back to base leaves it as it was, and so that later runs know the names.

do $$
begin
    if exists (
        select
          from pg_class c
         where c.relnamespace = 'eventlive'::regnamespace
           and c.relname not in ('alembic_version', 'alembic_version_pkc')
    ) or exists (
        select from pg_proc p where p.pronamespace = 'eventlive'::regnamespace
    ) then
        raise exception using
            errcode = 'duplicate_schema',
            message = 'the schema eventlive exists and holds objects',
            hint = 'If it was built without migrations, drop it first: drop schema eventlive, with all that is in it.';
    end if;
end
$$;

create table eventlive.installation (
    only_row boolean primary key default true check (only_row),
    api_schema text not null,
    owner text not null,
    api_schema_existed boolean not null,
    granted jsonb not null
);

insert into eventlive.installation (api_schema, owner, api_schema_existed, granted)
select 'eventlive_api',
       'eventlive_owner',
       exists (select from pg_namespace n where n.nspname = 'eventlive_api'),
       (
        select jsonb_agg(jsonb_build_object('privilege', w.privilege, 'role', w.role))
          from (values
            ('usage', 'eventlive_owner'), ('create', 'eventlive_owner'),
            ('usage', 'anon'), ('usage', 'authenticated'), ('usage', 'service_role')
          ) as w (privilege, role)
         where not exists (
            select
              from pg_namespace n
             cross join lateral aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
              join pg_roles r on r.oid = a.grantee
             where n.nspname = 'eventlive_api'
               and r.rolname = w.role
               and lower(a.privilege_type) = w.privilege
         )
       );

-- sql/00_roles/10_roles.sql

-- The owner of everything, and the roles a gateway switches to.
--
-- Run by the migrating role: a superuser, or a role with CREATEROLE (on Supabase: postgres). Roles belong to the
-- whole cluster, so another database may have made them, even at this moment; a role that is there is taken as it is.

do $$
declare
    v_role text;
begin
    foreach v_role in array array['eventlive_owner', 'anon', 'authenticated', 'service_role'] loop
        if exists (select from pg_catalog.pg_roles r where r.rolname = v_role) then
            continue;
        end if;
        if not (select r.rolcreaterole or r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user) then
            raise exception using
                errcode = 'insufficient_privilege',
                message = format('role %s is missing and %s may not create it', v_role, current_user),
                detail = 'missing_role',
                hint = 'Create it as an administrator, or name an existing role as the owner (migrate up --owner).';
        end if;
        begin
            execute format('create role %I nologin noinherit', v_role);
        exception
            when duplicate_object or unique_violation then
                null;  -- another installer made it first: that is what was wanted
        end;
    end loop;

    -- The functions run as the owner: what an ordinary role cannot do, nobody can make them do.
    if (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = 'eventlive_owner') then
        raise exception using
            errcode = 'insufficient_privilege',
            message = format('the owner %s must not be a superuser', 'eventlive_owner'),
            detail = 'superuser_owner',
            hint = 'Name an ordinary role with --owner; it is made if it is missing.';
    end if;

    -- Whoever migrates must be able to act as the owner. A superuser can; a CREATEROLE role on 16 and later holds
    -- the role it made with ADMIN but without SET, and so grants it to itself.
    if not pg_catalog.pg_has_role(
        current_user,
        'eventlive_owner',
        case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end
    ) then
        begin
            execute format('grant %I to %I', 'eventlive_owner', current_user);
        exception
            when unique_violation then
                null;  -- another installer granted it first
            when insufficient_privilege then
                raise exception using
                    errcode = 'insufficient_privilege',
                    message = format('%s may not act as the owner %s', current_user, 'eventlive_owner'),
                    detail = 'not_member_of_owner',
                    hint = format('As an administrator: grant %I to %I.', 'eventlive_owner', current_user);
        end;
    end if;
end
$$;

-- sql/00_roles/20_schemas.sql

-- eventlive is private: client roles get no USAGE, so nothing in it can be called or read by name.
-- eventlive_api is the exposed one. Its name is chosen at build time and may be an existing schema.

create schema if not exists eventlive authorization eventlive_owner;
alter schema eventlive owner to eventlive_owner;
revoke all on schema eventlive from public, anon, authenticated, service_role;
comment on schema eventlive is 'Live webinars: tables, core functions and jobs. Private: clients use the exposed schema.';

create schema if not exists eventlive_api authorization eventlive_owner;
grant usage, create on schema eventlive_api to eventlive_owner;
grant usage on schema eventlive_api to anon, authenticated, service_role;

-- Granting on a schema of somebody else's is but a warning in Postgres; here it is the end.
do $$
begin
    if not pg_catalog.has_schema_privilege('eventlive_owner', 'eventlive_api', 'create') then
        raise exception using
            errcode = 'insufficient_privilege',
            message = format('%s may not grant on the exposed schema', current_user),
            detail = 'missing_schema_privilege',
            hint = format('As its owner: grant usage, create on schema %I to %I; grant usage on schema %1$I to anon, authenticated, service_role.',
                'eventlive_api', 'eventlive_owner');
    end if;
end
$$;

-- All that follows belongs to the owner.
set local role eventlive_owner;

-- sql/00_roles/30_raise_error.sql

-- Every error a client can meet, in one place: status, token, message and advice.
--
-- DETAIL is the contract: a stable token, then, for some, a blank and a JSON object. The message is one line of
-- ASCII, because PostgREST makes it the HTTP reason phrase. SQLSTATE PTnnn becomes HTTP nnn.

create function eventlive.raise_error(_token text, _payload jsonb default null)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_status integer;
    v_message text;
    v_hint text;
begin
    select e.status, e.message, e.hint
      into v_status, v_message, v_hint
      from (values
        ('invalid_argument', 400, 'Invalid argument',
            'The payload names the argument and what it must be.'),
        ('isolation_not_supported', 400, 'Isolation level not supported',
            'Call in a read committed transaction; look at default_transaction_isolation of the role and the database.'),
        ('unknown_setting', 400, 'Unknown setting',
            'The payload names the key; eventlive.settings lists the keys that exist.'),
        ('setting_out_of_range', 400, 'Setting out of range',
            'The payload gives the type and the bounds.'),
        ('unauthenticated', 401, 'Not signed in',
            'Send a token whose sub is the id of the user.'),
        ('invalid_claims', 401, 'Invalid claims',
            'request.jwt.claims must be a JSON object and its sub a uuid.'),
        ('not_registered', 403, 'Not registered',
            'Register first; do not repeat this call before that.'),
        ('guests_not_allowed', 403, 'Guests are not allowed',
            'Sign in, then enter again.'),
        ('not_invited', 403, 'Not invited',
            'The e-mail address must be on the list of this webinar; ask its host.'),
        ('email_not_verified', 403, 'E-mail address not verified',
            'This webinar needs a token with a verified e-mail claim.'),
        ('ejected', 403, 'Ejected from this webinar',
            'Only a host can let this user in again.'),
        ('not_allowed', 403, 'Not allowed',
            'This needs a higher role in the webinar, an administrator or service_role.'),
        ('session_not_yours', 403, 'Not your session',
            'Make a new session id and enter with it.'),
        ('webinar_not_found', 404, 'No such webinar',
            'Check the id.'),
        ('session_not_found', 404, 'No such session',
            'Enter the webinar first; after entering, check the id and who is signed in.'),
        ('duplicate_session', 409, 'Already watching in another session',
            'The payload lists the other sessions. Under the policy ask, enter again with _take_over true.'),
        ('webinar_exists', 409, 'A webinar with this slug exists',
            'Choose another slug, or change the existing one with webinar_configure.'),
        ('status_change_refused', 409, 'Status change refused',
            'The payload gives the present status and those that may follow it.'),
        ('last_host', 409, 'A webinar needs a host',
            'Make somebody else host first.'),
        ('webinar_ended', 410, 'The webinar has ended',
            'Stop calling for this webinar.'),
        ('session_replaced', 410, 'Session replaced by another one',
            'Make a new session id to enter again; the payload names the session that took over.'),
        ('session_ejected', 410, 'Session ejected',
            'Stop calling for this session.'),
        ('session_expired', 410, 'Session expired',
            'Make a new session id and enter again.'),
        ('session_left', 410, 'Session was left',
            'Make a new session id and enter again.'),
        ('too_many_sessions', 429, 'Too many open sessions',
            'Leave one first, or wait until one expires.')
      ) as e (token, status, message, hint)
     where e.token = _token;

    if not found then
        raise exception using
            errcode = 'internal_error',
            message = format('raise_error does not know the token %s', _token);
    end if;

    raise exception using
        errcode = 'PT' || v_status,
        message = v_message,
        detail = case when _payload is null then _token else _token || ' ' || _payload::text end,
        hint = v_hint;
end
$$;

comment on function eventlive.raise_error(text, jsonb) is
    'Raises the error of that token: SQLSTATE PTnnn, the token (and the payload) in DETAIL, advice in HINT.';
revoke all on function eventlive.raise_error(text, jsonb) from public, anon, authenticated, service_role;
-- Policies call functions that raise as the client itself.
grant execute on function eventlive.raise_error(text, jsonb) to anon, authenticated, service_role;

-- sql/00_roles/40_current_user_id.sql

-- Who is calling. The claims of the verified token are the only source of identity.

create function eventlive.current_user_id()
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_claims text := current_setting('request.jwt.claims', true);
begin
    if v_claims is null or v_claims = '' then
        return null;
    end if;
    if left(v_claims, 1) <> '{' then
        perform eventlive.raise_error('invalid_claims');
    end if;
    return (v_claims::json ->> 'sub')::uuid;
exception
    -- The one handler on the hot path. Postgres 15 has no test for valid JSON that does not raise; the block adds
    -- 0.6 us where checking the uuid with a pattern adds 3 us. It translates and hides nothing.
    when invalid_text_representation or untranslatable_character or statement_too_complex then
        perform eventlive.raise_error('invalid_claims');
end
$$;

comment on function eventlive.current_user_id() is
    'The sub of request.jwt.claims; null for a guest. Claims that are no JSON object or a sub that is no uuid: PT401 invalid_claims.';
revoke all on function eventlive.current_user_id() from public, anon, authenticated, service_role;
grant execute on function eventlive.current_user_id() to anon, authenticated, service_role;

-- sql/00_roles/45_current_email.sql

create function eventlive.current_email(_verified_required boolean)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_claims json;
begin
    if eventlive.current_user_id() is null then
        return null;
    end if;
    -- json, as current_user_id reads it: jsonb refuses numbers that json allows.
    v_claims := current_setting('request.jwt.claims', true)::json;
    if _verified_required and (v_claims -> 'email_verified')::text is distinct from 'true' then
        return null;
    end if;
    -- Only the top-level claim counts: user_metadata is written by the user.
    return lower(nullif(btrim(v_claims ->> 'email'), '') collate "C");
end
$$;

comment on function eventlive.current_email(boolean) is
    'The e-mail claim in lower case; null without one, for a guest, and, when verification is required, without email_verified true.';
revoke all on function eventlive.current_email(boolean) from public, anon, authenticated, service_role;

-- sql/00_roles/50_is_service.sql

create function eventlive.is_service()
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_claims text := nullif(current_setting('request.jwt.claims', true), '');
    v_role text := nullif(current_setting('role', true), 'none');
begin
    perform eventlive.current_user_id();  -- refuses malformed claims
    -- current_user is the definer here: the caller is the role that was set, else the one that logged in.
    return pg_catalog.pg_has_role(coalesce(v_role, session_user), 'service_role', 'usage')
       and (v_claims is null or coalesce(v_claims::json ->> 'role', '') = 'service_role');
end
$$;

comment on function eventlive.is_service() is
    'True for service_role and for a database administrator at a prompt; never on claims of another role, or of none.';
revoke all on function eventlive.is_service() from public, anon, authenticated, service_role;

-- sql/00_roles/60_staffed_webinar_ids.sql

-- For policies and views: as a scalar sub-select it is evaluated once a statement, never once a row.

create function eventlive.staffed_webinar_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
begin
    if eventlive.is_service() or exists (select from eventlive.profiles p where p.user_id = v_user_id and p.is_admin) then
        return array(select w.id from eventlive.webinars w order by w.id);
    end if;
    return array(
        select r.webinar_id
          from eventlive.registrations r
         where r.user_id = v_user_id
           and r.role in ('host', 'moderator')
           and r.ejected_at is null
         order by r.webinar_id
    );
end
$$;

comment on function eventlive.staffed_webinar_ids() is
    'The webinars in which the caller is host or moderator; for administrators and service_role, all of them.';
revoke all on function eventlive.staffed_webinar_ids() from public, anon, authenticated, service_role;
grant execute on function eventlive.staffed_webinar_ids() to anon, authenticated, service_role;

-- sql/00_roles/61_joined_webinar_ids.sql

create function eventlive.joined_webinar_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
    v_email text;
begin
    select eventlive.current_email(s.value::boolean)
      into v_email
      from eventlive.settings s
     where s.key = 'email_verified_claim_required';

    return array(
        select r.webinar_id
          from eventlive.registrations r
          join eventlive.webinars w on w.id = r.webinar_id
         where r.user_id = v_user_id and (w.status <> 'draft' or (r.role <> 'attendee' and r.ejected_at is null))
        union
        select e.webinar_id
          from eventlive.webinar_allowed_emails e
          join eventlive.webinars w on w.id = e.webinar_id
         where e.email = v_email and w.status <> 'draft'
    );
end
$$;

comment on function eventlive.joined_webinar_ids() is
    'The webinars for which the caller is registered or whose e-mail list names the caller; drafts only for those who are more than attendees.';
revoke all on function eventlive.joined_webinar_ids() from public, anon, authenticated, service_role;
grant execute on function eventlive.joined_webinar_ids() to anon, authenticated, service_role;

reset role;

-- The records of the migrations themselves. Any member of the owner role may migrate, so the owner has them too.

comment on table eventlive.alembic_version is 'The migration this database is at. Written by migrations alone.';
comment on column eventlive.alembic_version.version_num is 'Its number.';
comment on table eventlive.installation is 'One row: the names chosen at installation, and what stepping back to base takes away again.';
comment on column eventlive.installation.only_row is 'Always true: keeps it one row.';
comment on column eventlive.installation.api_schema is 'The exposed schema.';
comment on column eventlive.installation.owner is 'The role that owns everything.';
comment on column eventlive.installation.api_schema_existed is 'Whether the exposed schema was there before; then it stays.';
comment on column eventlive.installation.granted is 'Privileges on the exposed schema that were granted and not there before.';

alter table eventlive.alembic_version enable row level security;
alter table eventlive.installation enable row level security;
revoke all on eventlive.alembic_version from public, anon, authenticated, service_role;
revoke all on eventlive.installation from public, anon, authenticated, service_role;
alter table eventlive.alembic_version owner to eventlive_owner;
alter table eventlive.installation owner to eventlive_owner;

notify pgrst, 'reload schema';
