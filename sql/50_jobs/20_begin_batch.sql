-- What each transaction of a job begins with. It has no SET clause, which would take all of this back at its end.

create function eventlive.begin_batch()
returns void
language plpgsql
volatile
as $$
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform pg_catalog.set_config('role', 'eventlive_owner', true);
    perform pg_catalog.set_config('lock_timeout', (eventlive.setting_number('job_lock_timeout_s') * 1000)::integer::text, true);
end
$$;

comment on function eventlive.begin_batch() is
    'Has the rest of the transaction run as the owner, with a search_path of its own, and wait for no lock longer than job_lock_timeout_s.';
revoke all on function eventlive.begin_batch() from public, anon, authenticated, service_role;
