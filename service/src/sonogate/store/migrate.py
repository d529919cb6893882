"""Bring the database to the schema of this version.

Inside one transaction: a kill half-way leaves nothing behind.
"""

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from sonogate.store.dialects import hold_schema

_ONE_AT_A_TIME = Lock()  # Alembic keeps the migration under way in globals
MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(engine: Engine) -> None:
    """Run every migration that is missing.

    Args:
        engine: the writer's engine, whose transactions also hold DDL.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        hold_schema(connection)
        config.attributes["connection"] = connection
        with _ONE_AT_A_TIME:
            command.upgrade(config, "head")
