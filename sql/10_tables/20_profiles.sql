create table eventlive.profiles (
    user_id uuid primary key,
    display_name text,
    is_admin boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint profiles_display_name_length check (char_length(display_name) between 1 and 200)
);

comment on table eventlive.profiles is 'What the application knows of a user beyond the token. A user needs no row here.';
comment on column eventlive.profiles.user_id is 'The sub of the user''s tokens.';
comment on column eventlive.profiles.display_name is 'Shown to others.';
comment on column eventlive.profiles.is_admin is 'Administers every webinar.';
comment on column eventlive.profiles.created_at is 'When the row was made.';
comment on column eventlive.profiles.updated_at is 'When the row was last changed.';

alter table eventlive.profiles enable row level security;
create policy profiles_own on eventlive.profiles for select to authenticated
    using (user_id = (select eventlive.current_user_id()));
comment on policy profiles_own on eventlive.profiles is 'A user reads the own profile.';
create policy profiles_service on eventlive.profiles to service_role using (true) with check (true);
comment on policy profiles_service on eventlive.profiles is 'service_role reads and writes profiles.';
revoke all on eventlive.profiles from public, anon, authenticated, service_role;
grant select on eventlive.profiles to authenticated, service_role;
grant insert, update (display_name, is_admin, updated_at), delete on eventlive.profiles to service_role;
