create function eventlive.watch_credit(_since timestamptz, _until timestamptz, _at_most_s double precision)
returns numeric
language sql
immutable
parallel safe
return least(greatest(extract(epoch from _until - _since), 0), _at_most_s::numeric);

comment on function eventlive.watch_credit(timestamptz, timestamptz, double precision) is
    'Seconds of watch time between two signs of life: what elapsed, never negative, capped so that a gap is not watching.';
revoke all on function eventlive.watch_credit(timestamptz, timestamptz, double precision)
    from public, anon, authenticated, service_role;
