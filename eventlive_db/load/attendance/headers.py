"""The column names and section titles exports use, and how a header line is recognised by them.

To teach the reader a language, add its words to ``ALIASES``, ``ACTIONS`` and ``YES`` or ``NO``; nothing else
knows any language. Case, spaces, underscores and the shape of apostrophes and brackets do not matter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto


class Field(StrEnum):
    """What a column means, whatever it is called."""

    NAME = auto()
    FIRST_NAME = auto()
    LAST_NAME = auto()
    EMAIL = auto()
    OTHER_EMAIL = auto()  # an address to fall back on: the Teams user name, the registration's address
    JOIN = auto()
    LEAVE = auto()
    FIRST_JOIN = auto()
    LAST_LEAVE = auto()
    ACTION = auto()
    TIMESTAMP = auto()
    DURATION = auto()
    ATTENDED = auto()
    WAITING_ROOM = auto()
    ROLE = auto()


class Kind(StrEnum):
    """What one row of a table is: one join, one person's whole stay, or one event of a log."""

    JOINS = auto()
    SPANS = auto()
    LOG = auto()


# One line a language, in the order English, German, Spanish, French, Portuguese, Korean, Japanese.
ALIASES: dict[Field, tuple[str, ...]] = {
    Field.NAME: (
        *("Name (Original Name)", "User Name (Original Name)", "User Name", "Name", "Full Name"),
        *("Participant", "Participant Name", "Attendee Name", "Display Name"),
        *("Name (Ursprünglicher Name)", "Name (Originalname)", "Benutzername", "Vollständiger Name"),
        *("Nombre (nombre original)", "Nombre de usuario (nombre original)", "Nombre de usuario"),
        *("Nombre", "Nombre completo"),
        *("Nom (nom original)", "Nom (nom d'origine)", "Nom d'utilisateur (nom original)"),
        *("Nom d'utilisateur", "Nom", "Nom complet"),
        *("Nome (nome original)", "Nome", "Nome completo"),
        *("이름(원래 이름)", "사용자 이름(원래 이름)", "이름", "전체 이름"),
        *("名前(元の名前)", "ユーザー名(元の名前)", "名前", "氏名"),
    ),
    Field.FIRST_NAME: ("First Name", "Vorname", "Nombre de pila", "Prénom", "Primeiro nome"),
    Field.LAST_NAME: ("Last Name", "Nachname", "Apellido", "Apellidos", "Nom de famille", "Sobrenome"),
    Field.EMAIL: (
        *("Email", "E-mail", "User Email", "Email Address", "User E-mail"),
        *("E-Mail-Adresse", "Benutzer-E-Mail", "E-Mail des Benutzers"),
        *("Correo electrónico", "E-mail del usuario", "Correo electrónico del usuario"),
        *("Adresse e-mail", "Adresse e-mail de l'utilisateur", "E-mail de l'utilisateur", "Courriel"),
        *("E-mail do usuário", "Endereço de e-mail"),
        *("이메일", "사용자 이메일", "전자 메일"),
        *("メール", "メールアドレス", "ユーザーのメール", "ユーザーのメールアドレス"),
    ),
    Field.OTHER_EMAIL: (
        *("Participant ID (UPN)", "UPN", "Registration Email"),
        *("Teilnehmer-ID (UPN)", "Id. de participante (UPN)", "ID du participant (UPN)"),
    ),
    Field.JOIN: (
        *("Join Time", "Joined At", "Time Joined"),
        *("Beitrittszeit", "Beitrittszeitpunkt", "Teilnahmezeit"),
        *("Hora de entrada", "Hora para unirse", "Hora de unión", "Hora de incorporación"),
        *("Heure d'arrivée", "Heure de connexion", "Heure d'entrée"),
        *("Hora de entrada", "Ingressar na hora", "Hora de ingresso"),
        *("참가 시간", "참여 시간"),
        *("参加時刻", "参加日時"),
    ),
    Field.LEAVE: (
        *("Leave Time", "Left At", "Time Left", "Time Exited"),
        *("Austrittszeit", "Verlassenszeit", "Beendigungszeit", "Zeit des Verlassens"),
        *("Hora de salida", "Hora para salir"),
        *("Heure de départ", "Heure de déconnexion", "Heure de sortie"),
        *("Hora de saída", "Sair na hora"),
        *("나간 시간", "퇴장 시간"),
        *("退出時刻", "退出日時"),
    ),
    Field.FIRST_JOIN: (
        *("First Join", "First Join Time"),
        *("Erster Beitritt", "Primera unión", "Première connexion", "Primeira entrada"),
        *("첫 번째 참가", "最初の参加"),
    ),
    Field.LAST_LEAVE: (
        *("Last Leave", "Last Leave Time"),
        *("Letztes Verlassen", "Última salida", "Dernier départ", "Última saída"),
        *("마지막 나가기", "最後の退出"),
    ),
    Field.ACTION: (
        *("User Action", "Benutzeraktion", "Acción del usuario", "Action de l'utilisateur", "Atividade"),
        *("사용자 작업", "ユーザー アクション"),
    ),
    Field.TIMESTAMP: (
        *("Timestamp", "Zeitstempel", "Marca de tiempo", "Horodatage", "Horodateur", "Carimbo de data/hora"),
        *("타임스탬프", "タイムスタンプ"),
    ),
    Field.DURATION: (
        *("Duration (Minutes)", "Duration", "Total Duration (Minutes)", "Time in Session (minutes)"),
        *(
            "In-Meeting Duration",
            "Dauer (Minuten)",
            "Dauer",
            "Duración (minutos)",
            "Duración total (minutos)",
        ),
        *("Durée (minutes)", "Durée totale (minutes)", "Duração (minutos)", "기간(분)", "期間(分)"),
    ),
    Field.ATTENDED: ("Attended", "Teilgenommen", "Asistió", "A participé", "Participou", "참석함", "出席"),
    Field.WAITING_ROOM: (
        *("In Waiting Room", "Waiting Room", "Im Warteraum", "En sala de espera", "Sala de espera"),
        *("Salle d'attente", "Dans la salle d'attente", "Na sala de espera", "대기실", "待機室"),
    ),
    Field.ROLE: ("Role", "Rolle", "Rol", "Rôle", "Função", "역할", "役割"),
}
# Microsoft writes "Joined before" for people who were there when the log begins.
ACTIONS: dict[bool, tuple[str, ...]] = {
    True: (
        *("Joined", "Joined before", "Beigetreten", "Bereits beigetreten", "Zuvor beigetreten"),
        *("Se unió", "Unido", "Se unió antes", "Unido antes", "A rejoint", "A rejoint avant"),
        *("Ingressou", "Entrou", "Entrou antes de", "참가함", "参加済み", "参加"),
    ),
    False: ("Left", "Verlassen", "Salió", "Abandonó", "A quitté", "Parti", "Saiu", "나감", "退出"),
}
YES = ("Yes", "Ja", "Sí", "Si", "Oui", "Sim", "예", "はい", "true", "1")
NO = ("No", "Nein", "Non", "Não", "아니요", "아니오", "いいえ", "false", "0")
ROLE_BY_SECTION = {
    "Host Details": "host",
    "Panelist Details": "panelist",
    "Attendee Details": "attendee",
    "Other Attended": "attendee",
    "Other Details": "attendee",
}
WANTED = (
    "a person (such as 'Name (Original Name)' or 'User Email') together with 'Join Time' and 'Leave Time' "
    "(Zoom, Teams), 'First Join' and 'Last Leave' (Teams) or 'User Action' and 'Timestamp' (older Teams)"
)

_TIME_FIELDS = {
    Kind.JOINS: (Field.JOIN, Field.LEAVE),
    Kind.SPANS: (Field.FIRST_JOIN, Field.LAST_LEAVE),
    Kind.LOG: (Field.ACTION, Field.TIMESTAMP),
}
_PERSON_FIELDS = (Field.NAME, Field.EMAIL, Field.FIRST_NAME, Field.LAST_NAME)
_NUMBERED_TITLE = re.compile(r"\d{1,2}\.\s*[^\W\d]")


def fold_word(text: str) -> str:
    """The text as ``ALIASES`` is searched: one case, no spaces, one kind of apostrophe and bracket."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return re.sub(r"[\s_\u200b\ufeff]+", "", folded)


_FIELD_BY_WORD = {fold_word(word): field for field, words in ALIASES.items() for word in words}
_ACTION_BY_WORD = {fold_word(word): joined for joined, words in ACTIONS.items() for word in words}
_ROLE_BY_SECTION = {fold_word(title): role for title, role in ROLE_BY_SECTION.items()}
_YES = frozenset(map(fold_word, YES))
_NO = frozenset(map(fold_word, NO))


@dataclass(frozen=True, slots=True)
class Header:
    """A recognised header line: where each meaning stands in the rows below it.

    Attributes:
        kind: what one row of the table is.
        columns: the index of each column that was recognised.
        emails: the indexes that may hold an address, the best first.
        width: how many columns the header has.
        utc: whether the header itself says its times are UTC, as "First Join (UTC)" does.
    """

    kind: Kind
    columns: Mapping[Field, int]
    emails: tuple[int, ...]
    width: int
    utc: bool

    @property
    def start(self) -> int:
        """The index of the join time, or of the action in a log."""
        return self.columns[_TIME_FIELDS[self.kind][0]]

    @property
    def end(self) -> int:
        """The index of the leave time, or of the timestamp in a log."""
        return self.columns[_TIME_FIELDS[self.kind][1]]


def match_header(cells: Sequence[str]) -> Header | None:
    """The header these cells are, or None if they are anything else."""
    words = [fold_word(cell) for cell in cells]
    found: dict[Field, list[int]] = {}
    for index, word in enumerate(words):
        field = _FIELD_BY_WORD.get(word.removesuffix("(utc)"))
        if field is not None:
            found.setdefault(field, []).append(index)
    if not any(field in found for field in _PERSON_FIELDS):
        return None
    for kind, (start, end) in _TIME_FIELDS.items():
        if start in found and end in found:
            at = found[start][-1]
            columns = {field: _nearest(indexes, at) for field, indexes in found.items()}
            if original := [index for index in found.get(Field.NAME, ()) if words[index].endswith(")")]:
                columns[Field.NAME] = _nearest(original, at)  # "Nom" beside it is the family name
            main = [columns[Field.EMAIL]] if Field.EMAIL in columns else []
            emails = (*main, *found.get(Field.OTHER_EMAIL, ()))
            return Header(kind, columns, emails, len(cells), utc=words[at].endswith("(utc)"))
    return None


def _nearest(indexes: Sequence[int], start: int) -> int:
    """Of columns that mean the same, the person's: Zoom puts the host's first, answers to questions last."""
    before = [index for index in indexes if index <= start]
    return before[-1] if before else indexes[0]


def is_unique_users_header(cells: Sequence[str]) -> bool:
    """Whether these cells head Zoom's export of unique users, which has durations but no times."""
    fields = {_FIELD_BY_WORD.get(fold_word(cell)) for cell in cells}
    return Field.NAME in fields and Field.DURATION in fields and Field.JOIN not in fields


def section_role(cells: Sequence[str]) -> str | None:
    """The role of the people in the section these cells are the title of ('' if it says none), else None."""
    if not cells or not cells[0].strip() or any(cell.strip() for cell in cells[1:]):
        return None
    role = _ROLE_BY_SECTION.get(fold_word(cells[0]))
    if role is None and _NUMBERED_TITLE.match(cells[0].strip()):
        return ""
    return role


def says_joined(action: str) -> bool | None:
    """Whether an action of a Teams log is joining (True) or leaving (False); None if it is neither."""
    return _ACTION_BY_WORD.get(fold_word(action))


def says_yes(text: str) -> bool:
    """Whether a yes-or-no cell says yes."""
    return fold_word(text) in _YES


def says_no(text: str) -> bool:
    """Whether a yes-or-no cell says no."""
    return fold_word(text) in _NO
