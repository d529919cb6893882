"""Performed procedure steps, what is owed of them, and storage commitment."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_COUNTING_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_steps()
    _make_messages()
    _make_commitments()


def downgrade() -> None:
    """Drop them."""
    for name in (
        "commitment_items",
        "commitments",
        "step_messages",
        "step_references",
        "step_studies",
        "procedure_steps",
    ):
        op.drop_table(name)


def _make_steps() -> None:
    op.create_table(
        "procedure_steps",
        sa.Column("step_uid", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("created_sha256", sa.String(64), nullable=False),
        sa.Column("last_sha256", sa.String(64), nullable=False),
        sa.Column("is_spent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("step_uid", name="pk_procedure_steps"),
    )
    op.create_index("ix_procedure_steps_status_is_spent", "procedure_steps", ["status", "is_spent"])
    for name, second in (
        ("step_studies", "study_instance_uid"),
        ("step_references", "sop_instance_uid"),
    ):
        op.create_table(
            name,
            sa.Column("step_uid", sa.Text(), nullable=False),
            sa.Column(second, sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("step_uid", second, name=f"pk_{name}"),
            sa.ForeignKeyConstraint(
                ["step_uid"], ["procedure_steps.step_uid"], name=f"fk_{name}_step_uid"
            ),
        )
    op.create_index("ix_step_studies_study_instance_uid", "step_studies", ["study_instance_uid"])


def _make_messages() -> None:
    op.create_table(
        "step_messages",
        sa.Column("id", _COUNTING_ID, nullable=False),
        sa.Column("server", sa.String(32), nullable=False),
        sa.Column("step_uid", sa.Text(), nullable=False),
        sa.Column("is_create", sa.Boolean(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.Text(), nullable=False),
        sa.Column("data_set", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_step_messages"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_step_messages_server_step_uid_id", "step_messages", ["server", "step_uid", "id"]
    )


def _make_commitments() -> None:
    op.create_table(
        "commitments",
        sa.Column("id", _COUNTING_ID, nullable=False),
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("calling_ae", sa.Text(), nullable=False),
        sa.Column("called_ae", sa.Text(), nullable=False),
        sa.Column("peer_address", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_commitments"),
        sa.UniqueConstraint(
            "calling_ae", "transaction_uid", name="uq_commitments_calling_ae_transaction_uid"
        ),
    )
    op.create_index(
        "ix_commitments_state_next_attempt_at", "commitments", ["state", "next_attempt_at"]
    )
    op.create_table(
        "commitment_items",
        sa.Column("commitment_id", _COUNTING_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sop_class_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("failure_reason", sa.Integer()),
        sa.PrimaryKeyConstraint("commitment_id", "position", name="pk_commitment_items"),
        sa.ForeignKeyConstraint(
            ["commitment_id"], ["commitments.id"], name="fk_commitment_items_commitment_id"
        ),
    )
    op.create_index(
        "ix_commitment_items_sop_instance_uid", "commitment_items", ["sop_instance_uid"]
    )
