-- Stepping back deletes the jobs, and their history with them. It refuses while there is one, unless told otherwise.

lock table eventlive.jobs, eventlive.job_runs in access exclusive mode;

do $$
begin
    if current_setting('eventlive.discard_data', true) is distinct from 'on'
        and exists (select from eventlive.job_runs)
    then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'this step deletes rows from tables that hold data: job_runs',
            detail = 'data_present',
            hint = 'Back them up. Then repeat with migrate down --discard-data, or in psql after: '
                'set eventlive.discard_data = ''on''';
    end if;
end
$$;
