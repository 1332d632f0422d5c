-- A queue from which each worker takes the oldest job that waits.
create schema shop;

create table shop.jobs (
    id bigint generated always as identity primary key,
    queue text not null,
    state text not null default 'waiting',
    taken_at timestamptz
);

create index jobs_waiting_idx on shop.jobs (queue, id) where state = 'waiting';

insert into shop.jobs (queue, state)
select 'queue ' || n % 20, case when n <= 1900 then 'done' else 'waiting' end from generate_series(1, 2000) n;

create function shop.take_job(_queue text) returns bigint
language plpgsql
as $$
declare
    v_id bigint;
begin
    update shop.jobs
       set state = 'taken', taken_at = now()
     where id = (
            select j.id from shop.jobs j
             where j.queue = _queue and j.state = 'waiting'
             order by j.id
             limit 1
               for update skip locked
           )
    returning id into v_id;
    return v_id;
end
$$;
