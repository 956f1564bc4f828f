"""What Alembic runs: the migrations on the connection that `caselog.migrations.run` hands over."""

from __future__ import annotations

from alembic import context

from caselog.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=True,
    user_module_prefix="schema.",
)
with context.begin_transaction():
    context.run_migrations()
