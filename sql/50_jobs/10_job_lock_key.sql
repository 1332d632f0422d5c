create function eventlive.job_lock_key(_name text)
returns bigint
language sql
immutable
parallel safe
return hashtextextended(_name, 7461934);

comment on function eventlive.job_lock_key(text) is
    'Key of the advisory lock that a run of the job holds, from its session: it goes when the session ends, however that ends.';
revoke all on function eventlive.job_lock_key(text) from public, anon, authenticated, service_role;
