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
