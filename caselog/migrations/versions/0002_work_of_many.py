"""Make the tables that several workers share: who may ask a host now, and calls to crawl.

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table('holds',
    sa.Column('tag', sa.LargeBinary(length=32), nullable=False),
    sa.Column('holder', sa.String(length=64), nullable=False),
    sa.Column('until_s', sa.Float(precision=53), nullable=False),
    sa.Column('free_s', sa.Float(precision=53), nullable=False),
    sa.PrimaryKeyConstraint('tag', name=op.f('pk_holds'))
    )
    op.create_index(op.f('ix_holds_holder'), 'holds', ['holder'])
    op.create_table('crawl_calls',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('lead_ids', sa.String(length=8000), nullable=False),
    sa.Column('pages_left', sa.Integer(), nullable=True),
    sa.Column('ends_at', sa.String(length=27), nullable=True),
    sa.Column('made_at', sa.String(length=27), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_crawl_calls')),
    sqlite_autoincrement=True
    )


def downgrade() -> None:
    """Take the change back."""
    op.drop_table('crawl_calls')
    op.drop_index(op.f('ix_holds_holder'), table_name='holds')
    op.drop_table('holds')
