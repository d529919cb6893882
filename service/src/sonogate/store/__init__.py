"""The database: tables, migrations, claims, outbox, audit; SQL is spoken nowhere else."""
