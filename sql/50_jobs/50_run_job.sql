-- A procedure that commits can neither be SECURITY DEFINER nor have a SET clause: so each transaction begins with
-- begin_batch, and until then every name is qualified. The list of what there is to do is made once and kept beside the
-- transactions; each of its rows is looked at again when its turn comes.

create procedure eventlive.run_job(_name pg_catalog.text, inout _outcome pg_catalog.jsonb default null)
language plpgsql
as $$
declare
    v_role pg_catalog.text := pg_catalog.current_setting('role');
    v_begun pg_catalog.record;
    v_work pg_catalog.record;
    v_done pg_catalog.int8;
    v_rows pg_catalog.int8 := 0;
    v_batches pg_catalog.int4 := 0;
    v_limit pg_catalog.int8;
    v_passed_by pg_catalog.uuid[] := '{}';
begin
    -- Refused here inside a transaction, before a lock is taken that would outlive it.
    commit;
    perform eventlive.begin_batch();
    v_begun := eventlive.begin_job(_name);
    if v_begun.outcome <> 'begun' then
        _outcome := jsonb_build_object('job', _name, 'outcome', v_begun.outcome, 'rows', 0, 'batches', 0);
        return;
    end if;
    commit;

    perform eventlive.begin_batch();
    v_limit := eventlive.setting_number('job_batch_size');
    for v_work in select w.webinar_id, w.ids, w.step, w.amount from eventlive.job_work(_name) w loop
        loop
            if v_work.step = 'cron' then
                perform set_config('role', v_role, true);
                v_done := eventlive.purge_cron_runs(v_limit);
                perform eventlive.begin_batch();
            else
                v_done := eventlive.job_step(_name, v_work.webinar_id, v_work.ids, v_work.step, v_work.amount);
            end if;
            v_rows := v_rows + v_done;
            v_batches := v_batches + 1;
            if v_done = 0 and v_work.webinar_id is not null then
                v_passed_by := v_passed_by || v_work.webinar_id;
            end if;
            update eventlive.job_runs r
               set rows_affected = v_rows
             where r.job_name = _name and r.run_id = v_begun.run_id and v_done > 0;
            commit;
            perform eventlive.begin_batch();
            -- How many records pg_cron has the owner cannot see, nor list: after a full batch there may be more.
            exit when v_work.step <> 'cron' or v_done < v_limit;
        end loop;
    end loop;

    perform eventlive.check_passed_by(_name, v_passed_by);
    perform eventlive.finish_job(_name);
    _outcome := jsonb_build_object(
        'job', _name, 'outcome', 'done', 'run_id', v_begun.run_id, 'rows', v_rows, 'batches', v_batches);
    commit;

    perform eventlive.begin_batch();
    perform pg_advisory_unlock(eventlive.job_lock_key(_name));
end
$$;

comment on procedure eventlive.run_job(text, jsonb) is
    'Runs a job, a batch a transaction: call eventlive.run_job(''rollup_live''). outcome is done, running (elsewhere) or disabled. Not inside a transaction. For members of the owner.';
revoke all on procedure eventlive.run_job(text, jsonb) from public, anon, authenticated, service_role;
