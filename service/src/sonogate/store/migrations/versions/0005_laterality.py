"""Which side an image shows, and what narrows its view."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was read before has neither."""
    op.add_column("objects", sa.Column("laterality", sa.Text()))
    op.add_column("objects", sa.Column("view_modifiers", sa.Text()))


def downgrade() -> None:
    """Drop both."""
    op.drop_column("objects", "view_modifiers")
    op.drop_column("objects", "laterality")
