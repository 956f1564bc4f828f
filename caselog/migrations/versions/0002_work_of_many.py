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
    sa.Column('followed_at', sa.String(length=27), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_crawl_calls')),
    sqlite_autoincrement=True
    )
    op.create_table('call_sites',
    sa.Column('call_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('site_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('slices', sa.Integer(), nullable=False),
    sa.Column('is_open', sa.Boolean(), nullable=False),
    sa.Column('due_at', sa.String(length=27), nullable=True),
    sa.Column('good_at', sa.String(length=27), nullable=True),
    sa.Column('pages', sa.BigInteger(), nullable=False),
    sa.Column('evidence', sa.BigInteger(), nullable=False),
    sa.Column('proposals', sa.BigInteger(), nullable=False),
    sa.Column('requests', sa.BigInteger(), nullable=False),
    sa.Column('refused_media', sa.BigInteger(), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('onions_put_off', sa.BigInteger(), nullable=False),
    sa.Column('put_off', sa.BigInteger(), nullable=False),
    sa.Column('cpu_s', sa.Float(precision=53), nullable=False),
    sa.ForeignKeyConstraint(['call_id'], ['crawl_calls.id'], name=op.f('fk_call_sites_call_id_crawl_calls')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_call_sites_site_id_sites')),
    sa.PrimaryKeyConstraint('call_id', 'site_id', name=op.f('pk_call_sites'))
    )
    op.create_index('ix_call_sites_open', 'call_sites', ['is_open', 'call_id'])


def downgrade() -> None:
    """Take the change back."""
    op.drop_index('ix_call_sites_open', table_name='call_sites')
    op.drop_table('call_sites')
    op.drop_table('crawl_calls')
    op.drop_index(op.f('ix_holds_holder'), table_name='holds')
    op.drop_table('holds')
