"""What a graded picture may be in place of an image; a person may say that it is none."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_WIDENED = (("verdicts", "effective_band"), ("overrides", "band"))


def upgrade() -> None:
    """Add the column, and room for the longer word; SQLite asks for no room."""
    op.add_column("verdicts", sa.Column("doubt", sa.String(length=32)))
    _resize(16)


def downgrade() -> None:
    """Drop the column; whoever was told that there is nothing to grade counts as low again."""
    for table, column in _WIDENED:
        rows = sa.table(table, sa.column(column))
        is_longer = rows.c[column] == "not_applicable"
        op.execute(rows.update().where(is_longer).values({column: "low"}))
    _resize(8)
    op.drop_column("verdicts", "doubt")


def _resize(length: int) -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, column in _WIDENED:
        op.alter_column(table, column, type_=sa.String(length=length))
