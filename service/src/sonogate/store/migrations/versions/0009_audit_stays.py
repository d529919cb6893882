"""The audit trail is only added to: the database itself refuses the rest."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SQLITE = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN"
    " SELECT RAISE(ABORT, 'audit entries are never changed'); END",
    # 365 days: the least that audit.retention_days may be
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
    " WHEN OLD.at > strftime('%Y-%m-%d %H:%M:%f', 'now', '-365 days') BEGIN"
    " SELECT RAISE(ABORT, 'audit entries stay for a year'); END",
    # INSERT OR REPLACE removes a row without firing the trigger above
    "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit"
    " WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) BEGIN"
    " SELECT RAISE(ABORT, 'audit entries are never replaced'); END",
)
_POSTGRESQL = (
    """
    CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.at <= now() - interval '365 days' THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION 'audit entries stay for a year and are never changed'
            USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    "CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit"
    " FOR EACH ROW EXECUTE FUNCTION audit_stays()",
    "CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()",
)


def upgrade() -> None:
    """Make the indices and the triggers."""
    op.create_index("ix_audit_action_id", "audit", ["action", "id"])
    op.create_index("ix_audit_at", "audit", ["at"])
    for statement in _POSTGRESQL if _is_postgresql() else _SQLITE:
        op.execute(sa.text(statement.replace(":", "\\:")))


def downgrade() -> None:
    """Drop them."""
    if _is_postgresql():
        op.execute("DROP TRIGGER audit_not_emptied ON audit")
        op.execute("DROP TRIGGER audit_stays ON audit")
        op.execute("DROP FUNCTION audit_stays()")
    else:
        for name in ("audit_no_update", "audit_no_delete", "audit_no_replace"):
            op.execute(f"DROP TRIGGER {name}")
    op.drop_index("ix_audit_at", table_name="audit")
    op.drop_index("ix_audit_action_id", table_name="audit")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
