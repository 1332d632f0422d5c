"""Every shape of export that is known, and that each gives the same people and times."""
# ruff: noqa: RUF001 - exports are written with these very characters

from __future__ import annotations

import codecs
from datetime import UTC, datetime
from pathlib import Path

import pytest

import eventlive_db.load.attendance as attendance_package
from eventlive_db.load.attendance import AttendanceFile, parse_attendance, read_attendance

SAMPLES = Path(attendance_package.__file__).parents[1] / "samples"


def at(hour: int, minute: int, second: int = 0, day: int = 28) -> datetime:
    return datetime(2024, 10, day, hour, minute, second, tzinfo=UTC)


def seen(file: AttendanceFile) -> list[tuple[str, str | None, datetime, datetime]]:
    return [(row.name, row.email, row.joined_at, row.left_at) for row in file.rows]


ANN = ("Ann Lee", "ann@example.com", at(9, 58, 13), at(10, 58, 13))
BOB = ("Bob", None, at(10, 0), at(10, 30))

TWO_PEOPLE = {
    "zoom meeting, as the portal writes it": (
        "zoom-meeting",
        (
            "Name (Original Name),User Email,Join Time,Leave Time,Duration (Minutes),Guest\n"
            "Ann Lee,ann@example.com,10/28/2024 09:58:13 AM,10/28/2024 10:58:13 AM,60,No\n"
            "Bob,,10/28/2024 10:00:00 AM,10/28/2024 10:30:00 AM,30,Yes\n"
        ),
    ),
    "zoom meeting with the meeting above it": (
        "zoom-meeting",
        (
            "Meeting ID,Topic,Start Time,End Time,User Email,Duration (Minutes),Participants\n"
            '"812 3456 7890",Demo,10/28/2024 09:55:00 AM,10/28/2024 11:00:00 AM,host@example.com,65,2\n'
            "\n"
            "Name (original name),Email,Join time,Leave time,Duration (minutes),Guest,In waiting room\n"
            "Ann Lee,ann@example.com,10/28/2024 09:58:13 AM,10/28/2024 10:58:13 AM,60,No,No\n"
            "Bob,,10/28/2024 10:00:00 AM,10/28/2024 10:30:00 AM,30,Yes,No\n"
        ),
    ),
    "zoom meeting with the host's columns in every row": (
        "zoom-meeting",
        (
            "Topic,Meeting ID,User Name,User Email,Start Time,End Time,Duration (Minutes),Participants,"
            "Name (Original Name),User Email,Join Time,Leave Time,Duration (Minutes),Guest\n"
            "Demo,8123,Host,host@example.com,10/28/2024 09:00,10/28/2024 11:00,120,2,"
            "Ann Lee,ann@example.com,10/28/2024 09:58:13,10/28/2024 10:58:13,60,No\n"
            "Demo,8123,Host,host@example.com,10/28/2024 09:00,10/28/2024 11:00,120,2,"
            "Bob,,10/28/2024 10:00,10/28/2024 10:30,30,Yes\n"
        ),
    ),
    "zoom webinar attendees with separators at the end of rows": (
        "zoom-webinar",
        (
            "Attendee Report,\n"
            'Report Generated:,"Oct 29, 2024 8:50 PM"\n'
            "Topic,Webinar ID,Actual Start Time,Actual Duration (minutes),# Registered\n"
            'Demo,328-972-509,"Oct 28, 2024 9:50 AM", 70, 3\n'
            "Attendee Details,\n"
            "Attended,User Name (Original Name),First Name,Last Name,Email,Registration Time,"
            "Join Time,Leave Time,"
            "Time in Session (minutes),Is Guest,Country/Region Name\n"
            'Yes,Ann Lee,Ann,Lee,ann@example.com,"Oct 1, 2024 07:00:00","Oct 28, 2024 09:58:13",'
            '"Oct 28, 2024 10:58:13",60,No,Peru,\n'
            "No,Cy,Cy,Roe,cy@example.com,,--,--,--,--,--,\n"
            'Yes,Bob,,,,,"Oct 28, 2024 10:00:00 AM","Oct 28, 2024 10:30:00 AM",30,Yes,Peru,\n'
        ),
    ),
    "zoom webinar where the name is in two columns": (
        "zoom-webinar",
        (
            "Attended,First Name,Last Name,Email,Join Time,Leave Time\n"
            "Yes,Ann,Lee,ann@example.com,2024-10-28 09:58:13,2024-10-28 10:58:13\n"
            "Yes,Bob,,--,2024-10-28 10:00:00,2024-10-28 10:30:00\n"
        ),
    ),
    "teams report with three sections": (
        "teams",
        (
            "1. Summary\n"
            "Meeting title\tDemo\n"
            "Attended participants\t2\n"
            "Start time\t10/28/24, 9:55:00 AM\n"
            "\n"
            "2. Participants\n"
            "Name\tFirst Join\tLast Leave\tIn-Meeting Duration\tEmail\tParticipant ID (UPN)\tRole\n"
            "Ann Lee\t10/28/24, 9:58:13 AM\t10/28/24, 10:58:13 AM\t1h\tann@example.com\t"
            "ann@example.com\tOrganizer\n"
            "Bob\t10/28/24, 10:00:00 AM\t10/28/24, 10:30:00 AM\t30m\t\t\tAttendee\n"
            "\n"
            "3. In-Meeting Activities\n"
            "Name\tJoin Time\tLeave Time\tDuration\tEmail\tRole\n"
            "Ann Lee\t10/28/24, 9:58:13\u202fAM\t10/28/24, 10:58:13\u202fAM\t1h\tann@example.com\tOrganizer\n"
            "Bob\t10/28/24, 10:00:00\u202fAM\t10/28/24, 10:30:00\u202fAM\t30m\n"
        ),
    ),
    "teams report without the single joins": (
        "teams-summary",
        (
            "2. Participants\n"
            "Name\tFirst join\tLast leave\tIn-meeting duration\tEmail\tParticipant ID (UPN)\tRole\n"
            "Ann Lee\t10/28/24, 9:58:13 AM\t10/28/24, 10:58:13 AM\t1h\t\tann@example.com\tOrganizer\n"
            "Bob\t10/28/24, 10:00:00 AM\t10/28/24, 10:30:00 AM\t30m\t\t\tAttendee\n"
        ),
    ),
    "teams report of 2021": (
        "teams",
        (
            "Meeting Summary\n"
            "Total Number of Participants\t2\n"
            "Meeting Start Time\t10/28/2024, 9:55:00 AM\n"
            "\n"
            "Full Name\tJoin Time\tLeave Time\tDuration\tEmail\tRole\tParticipant ID (UPN)\n"
            "Ann Lee\t10/28/2024, 9:58:13 AM\t10/28/2024, 10:58:13 AM\t1h\tann@example.com\t"
            "Organizer\tann@example.com\n"
            "Bob\t10/28/2024, 10:00:00 AM\t10/28/2024, 10:30:00 AM\t30m\t\tPresenter\t\n"
        ),
    ),
    "a table of any origin with the zone in its header": (
        "table",
        (
            "Name;E-mail;Join Time (UTC);Leave Time (UTC)\n"
            "Ann Lee;ann@example.com;2024-10-28T09:58:13Z;2024-10-28T12:58:13+02:00\n"
            "Bob;;2024-10-28T10:00:00;2024-10-28T10:30:00\n"
        ),
    ),
    "spanish": (
        "zoom-meeting",
        (
            "Nombre (nombre original);E-mail del usuario;Hora para unirse;Hora para salir;"
            "Duración (minutos);Invitado\n"
            "Ann Lee;ann@example.com;28/10/2024 09:58:13 a. m.;28/10/2024 10:58:13 a. m.;60;No\n"
            "Bob;;28/10/2024 10:00:00 a. m.;28/10/2024 10:30:00 a. m.;30;Sí\n"
        ),
    ),
    "french": (
        "zoom-meeting",
        (
            "Nom (nom original),Adresse e-mail de l’utilisateur,Heure d’arrivée,"
            "Heure de départ,Durée (minutes)\n"
            "Ann Lee,ann@example.com,28/10/2024 09:58:13,28/10/2024 10:58:13,60\n"
            "Bob,,28/10/2024 10:00:00,28/10/2024 10:30:00,30\n"
        ),
    ),
    "french webinar, in which Nom is the family name": (
        "zoom-webinar",
        (
            "A participé,Nom d’utilisateur (nom original),Prénom,Nom,E-mail,Heure d’arrivée,Heure de départ\n"
            "Oui,Ann Lee,Ann,Lee,ann@example.com,28/10/2024 09:58:13,28/10/2024 10:58:13\n"
            "Oui,Bob,Bob,Roe,,28/10/2024 10:00:00,28/10/2024 10:30:00\n"
        ),
    ),
    "german": (
        "zoom-meeting",
        (
            "Name (ursprünglicher Name),E-Mail,Beitrittszeit,Austrittszeit,Dauer (Minuten),Gast\n"
            "Ann Lee,ann@example.com,28.10.2024 09:58:13,28.10.2024 10:58:13,60,Nein\n"
            "Bob,,28.10.2024 10:00:00,28.10.2024 10:30:00,30,Ja\n"
        ),
    ),
    "portuguese": (
        "zoom-meeting",
        (
            "Nome (nome original),E-mail,Ingressar na hora,Hora de saída,Duração (minutos),Convidado\n"
            "Ann Lee,ann@example.com,28/10/2024 09:58:13,28/10/2024 10:58:13,60,Não\n"
            "Bob,,28/10/2024 10:00:00,28/10/2024 10:30:00,30,Sim\n"
        ),
    ),
    "korean": (
        "zoom-meeting",
        (
            "이름(원래 이름),사용자 이메일,참가 시간,나간 시간,기간(분)\n"
            "Ann Lee,ann@example.com,2024. 10. 28. 오전 9:58:13,2024. 10. 28. 오전 10:58:13,60\n"
            "Bob,,2024/10/28 10:00:00,2024/10/28 10:30:00,30\n"
        ),
    ),
    "japanese": (
        "zoom-meeting",
        (
            "名前（元の名前）,ユーザーのメール,参加時刻,退出時刻,期間（分）\n"
            "Ann Lee,ann@example.com,2024/10/28 9:58:13,2024/10/28 10:58:13,60\n"
            "Bob,,2024/10/28 10:00:00,2024/10/28 10:30:00,30\n"
        ),
    ),
}


@pytest.mark.parametrize("variant", TWO_PEOPLE)
def test_every_known_export_gives_the_same_people_and_times(variant: str) -> None:
    expected_format, text = TWO_PEOPLE[variant]
    file = parse_attendance(text.encode())
    assert file.problems == ()
    assert seen(file) == [ANN, BOB]
    assert [row.is_guest for row in file.rows] == [False, True]
    assert file.format == expected_format


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("bom", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-16-le"),
        (b"", "cp1252"),
    ],
)
def test_encoding_and_line_ends_do_not_change_what_is_read(bom: bytes, encoding: str, newline: str) -> None:
    text = TWO_PEOPLE["french"][1].replace("Ann Lee", "Zoë").replace("\n", newline)
    file = parse_attendance(bom + text.encode(encoding))
    assert [row.name for row in file.rows] == ["Zoë", "Bob"]
    assert [row.lines for row in file.rows] == [(2,), (3,)]
    assert any("Windows-1252" in note for note in file.notes) == (encoding == "cp1252")


@pytest.mark.parametrize("byte_order", ["le", "be"])
def test_utf16_mark_is_enough_where_no_other_byte_is_zero(byte_order: str) -> None:
    bom = {"le": codecs.BOM_UTF16_LE, "be": codecs.BOM_UTF16_BE}[byte_order]
    text = "데이터베이스" * 100 + "\n" + TWO_PEOPLE["korean"][1]
    assert seen(parse_attendance(bom + text.encode(f"utf-16-{byte_order}"))) == [ANN, BOB]


def test_header_in_another_case_and_spacing_is_recognised() -> None:
    text = "NAME (ORIGINAL NAME) , useremail,JOIN  TIME,leave_time\n"
    text += "Ann,a@b.c,2024-10-28 10:00,2024-10-28 10:30\n"
    assert seen(parse_attendance(text.encode())) == [("Ann", "a@b.c", at(10, 0), at(10, 30))]


def test_people_of_every_webinar_section_are_kept_with_their_role() -> None:
    times = '"Oct 28, 2024 10:00:00","Oct 28, 2024 10:30:00",30'
    text = (
        "Host Details,\nAttended,User Name,Email,Join Time,Leave Time,Time in Session (minutes)\n"
        f"Yes,Host,host@example.com,{times}\n"
        "Panelist Details,\nAttended,User Name,Email,Join Time,Leave Time,Time in Session (minutes)\n"
        f"Yes,Panelist,panelist@example.com,{times}\n"
        "Attendee Details,\nAttended,User Name,Email,Join Time,Leave Time,Time in Session (minutes)\n"
        f"Yes,Attendee,attendee@example.com,{times}\n"
        "Other Attended\nUser Name,Join Time,Leave Time,Time in Session (minutes)\n"
        f"14155550100,{times}\n"
    )
    file = parse_attendance(text.encode())
    assert [(row.name, row.role) for row in file.rows] == [
        ("Host", "host"),
        ("Panelist", "panelist"),
        ("Attendee", "attendee"),
        ("14155550100", "attendee"),
    ]
    assert file.problems == ()
    assert file.format == "zoom-webinar"


def test_section_title_in_an_unknown_language_is_no_row() -> None:
    text = (
        "Dane gospodarza,\nName,Email,Join Time,Leave Time\nHost,h@b.c,2024-10-28 10:00,2024-10-28 10:30\n"
        "Dane uczestnika,\nName,Email,Join Time,Leave Time\nAnn,a@b.c,2024-10-28 10:00,2024-10-28 10:30\n"
    )
    file = parse_attendance(text.encode())
    assert [row.name for row in file.rows] == ["Host", "Ann"]
    assert file.problems == ()


def test_teams_participants_are_not_counted_beside_their_single_joins() -> None:
    text = (
        "2. Participants\nName\tFirst Join\tLast Leave\n"
        "Ann\t10/28/24, 9:00:00 AM\t10/28/24, 11:00:00 AM\n"
        "3. In-Meeting Activities\nName\tJoin Time\tLeave Time\n"
        "Ann\t10/28/24, 9:00:00 AM\t10/28/24, 9:10:00 AM\n"
        "Ann\t10/28/24, 10:50:00 AM\t10/28/24, 11:00:00 AM\n"
        "4. Q&A\nName\tQuestion\nAnn\tWhy?\n"
    )
    file = parse_attendance(text.encode())
    stays = [(row.joined_at, row.left_at) for row in file.rows]
    assert stays == [(at(9, 0), at(9, 10)), (at(10, 50), at(11, 0))]
    assert file.problems == ()
    assert any("not counted" in note for note in file.notes)


@pytest.mark.parametrize(
    ("header", "joined", "before", "left"),
    [
        ("Full Name\tUser Action\tTimestamp", "Joined", "Joined before", "Left"),
        ("Nome Completo\tAtividade\tCarimbo de data/hora", "Ingressou", "Entrou antes de", "Saiu"),
        (
            "Vollständiger Name\tBenutzeraktion\tZeitstempel",
            "Beigetreten",
            "Bereits beigetreten",
            "Verlassen",
        ),
    ],
)
def test_teams_log_is_paired_per_person(header: str, joined: str, before: str, left: str) -> None:
    text = (
        f"{header}\r\n"
        f"Ann\t{before}\t10/28/2024, 9:00:00 AM\r\n"
        f"Bob\t{joined}\t10/28/2024, 9:05:00 AM\r\n"
        f"Ann\t{left}\t10/28/2024, 9:10:00 AM\r\n"
        f"Ann\t{joined}\t10/28/2024, 9:20:00 AM\r\n"
        f"Bob\t{left}\t10/28/2024, 9:25:00 AM\r\n"
        f"Ann\t{left}\t10/28/2024, 9:30:00 AM\r\n"
    )
    file = parse_attendance(codecs.BOM_UTF16_LE + text.encode("utf-16-le"))
    assert [(row.lines, row.name, row.joined_at, row.left_at) for row in file.rows] == [
        ((2, 4), "Ann", at(9, 0), at(9, 10)),
        ((3, 6), "Bob", at(9, 5), at(9, 25)),
        ((5, 7), "Ann", at(9, 20), at(9, 30)),
    ]
    assert file.problems == ()
    assert file.format == "teams-log"
    assert any("names alone" in note for note in file.notes)


def test_two_devices_of_one_name_in_a_teams_log_end_in_the_order_they_began() -> None:
    actions = ("Joined", "Joined", "Left", "Left")
    lines = [f"Ann\t{action}\t10/28/2024, 9:0{minute}:00 AM" for minute, action in enumerate(actions)]
    file = parse_attendance("\n".join(("Full Name\tUser Action\tTimestamp", *lines)).encode())
    assert [(row.lines, row.seconds) for row in file.rows] == [((2, 4), 120.0), ((3, 5), 120.0)]


def test_people_who_never_came_or_only_waited_are_left_out_with_a_note() -> None:
    text = (
        "Attended,Name,Email,Join Time,Leave Time,In Waiting Room\n"
        "No,Cy,cy@b.c,--,--,\n"
        "Yes,Ann,a@b.c,2024-10-28 09:50,2024-10-28 10:00,Yes\n"
        "Yes,Ann,a@b.c,2024-10-28 10:00,2024-10-28 10:30,No\n"
    )
    file = parse_attendance(text.encode())
    assert seen(file) == [("Ann", "a@b.c", at(10, 0), at(10, 30))]
    assert file.problems == ()
    assert [note for note in file.notes if note.startswith("1 ")] == [
        "1 registered people did not attend and were left out.",
        "1 rows are time in the waiting room and were left out.",
    ]


def test_same_person_has_the_same_key_however_it_is_written() -> None:
    text = (
        "Name,Email,Join Time,Leave Time\n"
        "Ann,Ann@Example.com,2024-10-28 10:00,2024-10-28 10:30\n"
        "Ann (phone),ann@example.com ,2024-10-28 10:10,2024-10-28 10:20\n"
        "JÜRGEN  Weiß,,2024-10-28 10:00,2024-10-28 10:30\n"
        "Jürgen WEISS,,2024-10-28 10:40,2024-10-28 10:50\n"
    )
    keys = [row.person_key for row in parse_attendance(text.encode()).rows]
    assert keys == ["ann@example.com", "ann@example.com", "jürgen weiss", "jürgen weiss"]


def test_shipped_sample_reads_without_a_problem_and_has_what_a_demo_needs() -> None:
    file = read_attendance(SAMPLES / "zoom_meeting.csv")
    assert file.format == "zoom-meeting"
    assert file.problems == ()
    assert len(file.rows) == 41
    keys = [row.person_key for row in file.rows]
    assert keys.count("diego.gomez@example.net") == 3
    assert sum(row.is_guest for row in file.rows) == 7
    assert "Nguyen, Thi Lan" in {row.name for row in file.rows}
    assert "김민준" in {row.name for row in file.rows}
