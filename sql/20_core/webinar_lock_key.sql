-- Coming in and ending a webinar exclude each other through an advisory lock: shared for those who come in, exclusive
-- for the change of status. A row lock on the webinar would do the same, but every entry would then write WAL and a
-- multixact, and a crowd at the door could starve the host; the queue of an advisory lock is fair.

create function eventlive.webinar_lock_key(_webinar_id uuid)
returns bigint
language sql
immutable
parallel safe
return uuid_hash_extended(_webinar_id, 7461933);

comment on function eventlive.webinar_lock_key(uuid) is
    'Key of the advisory lock that keeps entering and ending apart: shared to enter, exclusive to change the status.';
revoke all on function eventlive.webinar_lock_key(uuid) from public, anon, authenticated, service_role;
