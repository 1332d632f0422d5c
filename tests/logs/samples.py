"""A few records of each format, as the programs write them, with all that is awkward to cut."""

# ruff: noqa: E501 - lines are as the programs write them

from __future__ import annotations

import json

from eventlive_db.logs import LogFormat

STDERR = """\
2026-11-21 22:23:08.123 UTC [41] LOG:  starting PostgreSQL
2026-11-21 22:23:08.200 UTC [50] postgres@app ERROR:  duplicate key value violates unique constraint "registrations_pkey"
2026-11-21 22:23:08.200 UTC [50] postgres@app DETAIL:  Key (webinar_id, user_id)=(ü, 日) already exists.
2026-11-21 22:23:08.200 UTC [50] postgres@app STATEMENT:  insert into registrations
\t\tvalues ('🎥',
\t
\t'x')
2026-11-21 22:23:08.201 UTC [51] postgres@app ERROR:  column r.id does not exist at character 8
2026-11-21 22:23:08.202 UTC [52] postgres@app FATAL:  canceling statement due to statement timeout
2026-11-21 22:23:08.201 UTC [51] postgres@app HINT:  Perhaps "r.is".
2026-11-21 22:23:07.000 UTC [50] postgres@app LOG:  duration: 12.500 ms
"""
_CSV = '2026-11-21 22:23:08.{0} UTC,"postgres","app",50,"[local]",6a.32,{0},"INSERT",2026-11-21 22:00:00 UTC,3/4,0'
CSVLOG = "".join(
    f"{_CSV.format(number)},{rest}\n"
    for number, rest in (
        (
            100,
            'ERROR,23505,"duplicate key value","Key (a)=(""ü"")",,,,,"insert\n\n""日""\nx",,,"psql","client backend",,0',
        ),
        (
            101,
            'ERROR,42703,"column ""r.id"" does not exist",,"a\n2026-11-21 22:23:08.1 UTC,""b",,,,,,,"","client backend",,0',
        ),
        (102, 'LOG,00000,"duration: 12.500 ms",,,,,,,,,"a,b","client backend",,-5'),
    )
)
JSONLOG = "".join(
    json.dumps(
        {"timestamp": "2026-11-21 22:23:08.100 UTC", "user": "u", "dbname": "d", "pid": 7, "error_severity": "ERROR"}
        | {"state_code": state, "message": message, "statement": "select\n\t'日'", "application_name": "ü"},
        ensure_ascii=False,
    )
    + "\n"
    for state, message in (("42703", "column r.id does not exist"), ("23505", "two\nlines"), ("57014", "🎥"))
)
POSTGREST = """\
21/Nov/2026:22:23:08 +0000: Starting PostgREST 12.0.2...
21/Nov/2026:22:23:08 +0000: Listening on port 3000
127.0.0.1 - authenticated [21/Nov/2026:22:23:09 +0000] "POST /rpc/webinar_presence_ping HTTP/1.1" 204 - "" "python-httpx/0.28.1"
127.0.0.1 - anon [21/Nov/2026:17:23:10 -0500] "GET /registrations?select=id HTTP/1.1" 400 - "" "say \\"ü\\" 日"
"""
AUTH = """\
{"level":"info","msg":"GoTrue API started on: localhost:9999","time":"2026-11-21T22:23:08Z"}
{"component":"api","duration":1834565713,"level":"info","method":"GET","msg":"request completed","path":"/user",\
"referer":"http://ü","remote_addr":"1.2.3.4","request_id":"x","status":200,"time":"2026-11-21T22:23:09Z"}
{"component":"api","duration":6535208,"error":"400: Invalid Refresh Token: Already Used","error_code":\
"refresh_token_already_used","level":"info","method":"POST","msg":"request completed","path":"/token","status":400,\
"time":"2026-11-21T22:23:10Z"}
"""
REALTIME = """\
23:59:58.170 project=realtime-dev external_id=realtime-dev [info] Billing metrics ü
23:59:59.170 project=realtime-dev external_id=realtime-dev error_code=ChannelShutdown [warning] ChannelShutdown: Token has expired
    (elixir) of a stack
00:00:01.000 [warning] Disconnecting all sockets for tenant realtime-dev
"""
GATEWAY = """\
10.0.0.1 - - [21/Nov/2026:22:23:09 +0000] "GET /rest/v1/registrations?select=id HTTP/1.1" 400 152 "-" "Mozilla ü" 0.012
10.0.0.1 - - [21/Nov/2026:22:23:10 +0000] "GET /realtime/v1/websocket?apikey=x HTTP/1.1" 101 9 "-" "Mozilla" rt=61.500 0.001
10.0.0.1 - - [21/Nov/2026:22:23:11 +0000] "\\x16\\x03" 400 150 "-" "-" 0.000
"""
GATEWAY_JSON = """\
{"time":"2026-11-21T22:23:09+00:00","request_method":"GET","request_uri":"/rest/v1/ü","status":"400","request_time":"0.012"}
{"start_time":"2026-11-21T22:23:10.5Z","method":"GET","path":"/auth/v1/user","response_code":200,"duration":1700}
{"started_at":1795299791000,"request":{"method":"GET","uri":"/a"},"response":{"status":503},"latencies":{"request":25}}
{"ts":1795299792.25,"request":{"method":"PUT","uri":"/b"},"status":201,"duration":0.5}
"""
SAMPLES = {
    LogFormat.STDERR: STDERR,
    LogFormat.CSVLOG: CSVLOG,
    LogFormat.JSONLOG: JSONLOG,
    LogFormat.POSTGREST: POSTGREST,
    LogFormat.AUTH: AUTH,
    LogFormat.REALTIME: REALTIME,
    LogFormat.GATEWAY: GATEWAY,
    LogFormat.GATEWAY_JSON: GATEWAY_JSON,
}
