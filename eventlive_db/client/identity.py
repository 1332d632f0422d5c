"""Who calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a call: a database role, and the claims of a token that was verified before.

    Args:
        role: ``anon``, ``authenticated`` or ``service_role``; the connection's own role must be allowed to
            become it.
        claims: The claims; ``sub`` is the id of the user. Sent as ``request.jwt.claims``.
    """

    role: str
    claims: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def user(cls, user_id: UUID | str, **claims: object) -> Identity:
        """A signed-in user, with further claims such as ``email`` and ``email_verified``."""
        return cls("authenticated", {"sub": str(user_id), "role": "authenticated", **claims})

    @classmethod
    def guest(cls) -> Identity:
        """Somebody who is not signed in."""
        return cls("anon", {"role": "anon"})

    @classmethod
    def service(cls) -> Identity:
        """The application's own back end."""
        return cls("service_role", {"role": "service_role"})

    @classmethod
    def of(cls, claims: Mapping[str, object]) -> Identity:
        """Whoever verified claims say: the role is the claim ``role``, without one it is a guest.

        Raises:
            ValueError: The claim ``role`` is no text.
        """
        role = claims.get("role", "anon")
        if not isinstance(role, str) or not role:
            msg = "the claim role must be the name of a database role"
            raise ValueError(msg)
        return cls(role, dict(claims))

    def settings(self) -> tuple[str, str]:
        """The values of the settings ``role`` and ``request.jwt.claims``."""
        return self.role, json.dumps(dict(self.claims), separators=(",", ":"))
