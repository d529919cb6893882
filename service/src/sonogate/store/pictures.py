"""Small pictures for people, and the fingerprint by which views are compared."""

from sqlalchemy import Connection, insert, select

from sonogate.store.records import Picture
from sonogate.store.tables import pictures


class Pictures:
    """The table `pictures`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, object_id: str, picture: Picture) -> None:
        """Keep the pictures of one object."""
        self._connection.execute(
            insert(pictures),
            {
                "object_id": object_id,
                "thumbnail": picture.thumbnail,
                "heatmap": picture.heatmap,
                "fingerprint": picture.fingerprint,
            },
        )

    def get(self, object_id: str) -> Picture | None:
        """Return the pictures of one object, or None."""
        row = self._connection.execute(
            select(pictures).where(pictures.c.object_id == object_id)
        ).first()
        if row is None:
            return None
        return Picture(thumbnail=row.thumbnail, heatmap=row.heatmap, fingerprint=row.fingerprint)
