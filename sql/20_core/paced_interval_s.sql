create function eventlive.paced_interval_s(_base_s real, _max_s real, _target_rps real, _audience integer)
returns real
language sql
immutable
parallel safe
return greatest(_base_s, least(_max_s, (_audience / _target_rps)::real));

comment on function eventlive.paced_interval_s(real, real, real, integer) is
    'The interval at which an audience makes at most that many calls a second, between base and max. Seconds.';
revoke all on function eventlive.paced_interval_s(real, real, real, integer) from public, anon, authenticated, service_role;
