-- Of what somebody has changed, or made by hand, Postgres may refuse to make a partition.

create function eventlive.event_log_misfits(_relation regclass)
returns table (misfit text, remedy text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select f.misfit, format('alter table %s %s', _relation, f.remedy)
      from (
            select m.place, c.name, m.misfit, m.remedy
              from (
                    select a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull,
                           format_type(a.atttypid, a.atttypmod) as type
                      from pg_attribute a
                     where a.attrelid = 'eventlive.event_access_logs'::regclass and a.attnum > 0 and not a.attisdropped
                   ) l
              full join (
                    select a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attidentity, a.attgenerated
                      from pg_attribute a
                     where a.attrelid = _relation and a.attnum > 0 and not a.attisdropped
                   ) r using (attname)
             cross join lateral quote_ident(attname) as c (name)
             cross join lateral (
                    values
                        (1, r.atttypid is null, 'it has no column ' || c.name, 'add ' || c.name || ' ' || l.type),
                        (2, l.atttypid is null, 'the log has no column ' || c.name, 'drop ' || c.name),
                        (3, l.atttypid is not null and r.attgenerated <> '',
                         'its column ' || c.name || ' is generated', 'alter ' || c.name || ' drop expression'),
                        (4, l.atttypid is not null and r.attidentity <> '',
                         'its column ' || c.name || ' is an identity', 'alter ' || c.name || ' drop identity'),
                        (5, (l.atttypid, l.atttypmod, l.attcollation) <> (r.atttypid, r.atttypmod, r.attcollation),
                         'its column ' || c.name || ' is not of the type ' || l.type,
                         'alter ' || c.name || ' type ' || l.type || ' using ' || c.name || '::' || l.type),
                        (6, l.attnotnull and not r.attnotnull,
                         'its column ' || c.name || ' may be null', 'alter ' || c.name || ' set not null')
                   ) as m (place, is_so, misfit, remedy)
             where m.is_so
             union all
            select 7, l.conname,
                   format('it has no constraint %I like that of the log', l.conname),
                   format('drop constraint if exists %I, add constraint %I %s', l.conname, l.conname, pg_get_constraintdef(l.oid))
              from pg_constraint l
             where l.conrelid = 'eventlive.event_access_logs'::regclass
               and l.contype = 'c'
               and quote_ident(l.conname) || pg_get_constraintdef(l.oid) <> all (array(
                    select quote_ident(r.conname) || pg_get_constraintdef(r.oid) from pg_constraint r where r.conrelid = _relation
                   ))
           ) f
     order by f.place, f.name
$$;

comment on function eventlive.event_log_misfits(regclass) is
    'Why a table cannot become a partition of the visit log, as far as its columns and constraints tell, and what would mend it.';
revoke all on function eventlive.event_log_misfits(regclass) from public, anon, authenticated, service_role;
