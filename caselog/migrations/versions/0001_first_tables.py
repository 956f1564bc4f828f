"""Make the tables of the case log.

Revision: 0001, after nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from caselog.migrations import triggers

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "users",
    "leads",
    "reports",
    "proposals",
    "decisions",
    "cases",
    "case_changes",
    "rules",
    "pages",
    "evidence",
    "hosting",
    "referrals",
    "notices",
    "releases",
    "deliveries",
    "replies",
    "checks",
    "reveals",
    "queries",
    "entries",
    "leaves",
    "heads",
)


def upgrade() -> None:
    """Make the change."""
    op.create_table('cases',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('reference', sa.String(length=64), nullable=False),
    sa.Column('opened_by', sa.String(length=64), nullable=False),
    sa.Column('opened_at', sa.String(length=27), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cases')),
    sqlite_autoincrement=True
    )
    op.create_table('data_keys',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('lead_id', sa.BigInteger(), nullable=True),
    sa.Column('wrapped', sa.LargeBinary(length=128), nullable=False),
    sa.Column('destroyed_at', sa.String(length=27), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_data_keys')),
    sa.UniqueConstraint('lead_id', name=op.f('uq_data_keys_lead_id')),
    sqlite_autoincrement=True
    )
    op.create_table('entries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('record_id', sa.BigInteger(), nullable=False),
    sa.Column('body', sa.String(length=8000), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_entries')),
    sa.UniqueConstraint('kind', 'record_id', name=op.f('uq_entries_kind_record_id')),
    sqlite_autoincrement=True
    )
    op.create_table('heads',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('root', sa.LargeBinary(length=32), nullable=False),
    sa.Column('peaks', sa.LargeBinary(length=2048), nullable=False),
    sa.Column('at', sa.String(length=27), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_heads')),
    sqlite_autoincrement=True
    )
    op.create_table('limiters',
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('tokens', sa.Float(precision=53), nullable=False),
    sa.Column('at', sa.String(length=27), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_limiters'))
    )
    op.create_table('meta',
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('value', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_meta'))
    )
    op.create_table('users',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('role', sa.String(length=40), nullable=False),
    sa.Column('password_hash', sa.String(length=200), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('token_scope', sa.String(length=200), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('added_by', sa.String(length=64), nullable=False),
    sa.Column('added_at', sa.String(length=27), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_users_name'), ['name'], unique=False)

    op.create_table('addresses',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('key_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('ciphertext', sa.LargeBinary(length=66000), nullable=False),
    sa.Column('tag', sa.LargeBinary(length=32), nullable=True),
    sa.ForeignKeyConstraint(['key_id'], ['data_keys.id'], name=op.f('fk_addresses_key_id_data_keys')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_addresses')),
    sa.UniqueConstraint('key_id', 'tag', name=op.f('uq_addresses_key_id_tag')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('addresses', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_addresses_tag'), ['tag'], unique=False)

    op.create_table('leaves',
    sa.Column('leaf_index', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('entry_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('leaf_hash', sa.LargeBinary(length=32), nullable=False),
    sa.CheckConstraint('leaf_index >= 0', name=op.f('ck_leaves_index')),
    sa.ForeignKeyConstraint(['entry_id'], ['entries.id'], name=op.f('fk_leaves_entry_id_entries')),
    sa.PrimaryKeyConstraint('leaf_index', name=op.f('pk_leaves')),
    sa.UniqueConstraint('entry_id', name=op.f('uq_leaves_entry_id'))
    )
    op.create_table('salts',
    sa.Column('entry_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('seed', sa.LargeBinary(length=32), nullable=False),
    sa.ForeignKeyConstraint(['entry_id'], ['entries.id'], name=op.f('fk_salts_entry_id_entries')),
    sa.PrimaryKeyConstraint('entry_id', name=op.f('pk_salts'))
    )
    op.create_table('unsealed',
    sa.Column('entry_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.ForeignKeyConstraint(['entry_id'], ['entries.id'], name=op.f('fk_unsealed_entry_id_entries')),
    sa.PrimaryKeyConstraint('entry_id', name=op.f('pk_unsealed'))
    )
    op.create_table('decisions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('subject', sa.String(length=40), nullable=False),
    sa.Column('subject_id', sa.BigInteger(), nullable=False),
    sa.Column('verdict', sa.String(length=40), nullable=False),
    sa.Column('classification', sa.String(length=32), nullable=True),
    sa.Column('detail_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('reason_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('decided_by', sa.String(length=64), nullable=False),
    sa.Column('os_user', sa.String(length=64), nullable=False),
    sa.Column('decided_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['detail_id'], ['addresses.id'], name=op.f('fk_decisions_detail_id_addresses')),
    sa.ForeignKeyConstraint(['reason_id'], ['addresses.id'], name=op.f('fk_decisions_reason_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_decisions')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('decisions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_decisions_subject_id'), ['subject_id'], unique=False)

    op.create_table('lookup_cache',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('key_tag', sa.LargeBinary(length=32), nullable=False),
    sa.Column('first', sa.LargeBinary(length=16), nullable=True),
    sa.Column('last', sa.LargeBinary(length=16), nullable=True),
    sa.Column('sealed_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('fetched_at', sa.String(length=27), nullable=False),
    sa.Column('expires_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['sealed_id'], ['addresses.id'], name=op.f('fk_lookup_cache_sealed_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lookup_cache')),
    sa.UniqueConstraint('kind', 'key_tag', name=op.f('uq_lookup_cache_kind_key_tag'))
    )
    with op.batch_alter_table('lookup_cache', schema=None) as batch_op:
        batch_op.create_index('ix_lookup_cache_range', ['kind', 'first', 'last'], unique=False)

    op.create_table('notices',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('previous_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('case_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('hosting_ids', sa.String(length=2000), nullable=False),
    sa.Column('evidence_ids', sa.String(length=4000), nullable=False),
    sa.Column('recipient_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('role', sa.String(length=32), nullable=False),
    sa.Column('reason_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('provider', sa.String(length=200), nullable=True),
    sa.Column('contact_source', sa.String(length=64), nullable=False),
    sa.Column('contact_guessed', sa.Boolean(), nullable=False),
    sa.Column('language', sa.String(length=16), nullable=False),
    sa.Column('profile', sa.String(length=16), nullable=False),
    sa.Column('tlp', sa.String(length=16), nullable=False),
    sa.Column('ledger_root', sa.String(length=64), nullable=True),
    sa.Column('ledger_size', sa.BigInteger(), nullable=True),
    sa.Column('practice', sa.Boolean(), nullable=False),
    sa.Column('drafted_by', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_notices_case_id_cases')),
    sa.ForeignKeyConstraint(['previous_id'], ['notices.id'], name=op.f('fk_notices_previous_id_notices')),
    sa.ForeignKeyConstraint(['reason_id'], ['addresses.id'], name=op.f('fk_notices_reason_id_addresses')),
    sa.ForeignKeyConstraint(['recipient_id'], ['addresses.id'], name=op.f('fk_notices_recipient_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notices')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('notices', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_notices_case_id'), ['case_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_notices_recipient_id'), ['recipient_id'], unique=False)

    op.create_table('queries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('server', sa.String(length=200), nullable=False),
    sa.Column('name_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('outcome', sa.String(length=32), nullable=False),
    sa.Column('asked_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['name_id'], ['addresses.id'], name=op.f('fk_queries_name_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_queries')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('queries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_queries_name_id'), ['name_id'], unique=False)

    op.create_table('reveals',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('subject', sa.String(length=40), nullable=False),
    sa.Column('subject_ids', sa.String(length=4000), nullable=False),
    sa.Column('reason_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('revealed_by', sa.String(length=64), nullable=False),
    sa.Column('os_user', sa.String(length=64), nullable=False),
    sa.Column('revealed_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['reason_id'], ['addresses.id'], name=op.f('fk_reveals_reason_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reveals')),
    sqlite_autoincrement=True
    )
    op.create_table('rules',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('external_id_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('term_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('weight', sa.Float(precision=53), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('added_by', sa.String(length=64), nullable=False),
    sa.Column('added_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['external_id_id'], ['addresses.id'], name=op.f('fk_rules_external_id_id_addresses')),
    sa.ForeignKeyConstraint(['term_id'], ['addresses.id'], name=op.f('fk_rules_term_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rules')),
    sqlite_autoincrement=True
    )
    op.create_table('sites',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('host_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('tag', sa.LargeBinary(length=32), nullable=False),
    sa.ForeignKeyConstraint(['host_id'], ['addresses.id'], name=op.f('fk_sites_host_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sites')),
    sa.UniqueConstraint('tag', name=op.f('uq_sites_tag')),
    sqlite_autoincrement=True
    )
    op.create_table('deliveries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('notice_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('attempt', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(length=40), nullable=False),
    sa.Column('channel', sa.String(length=16), nullable=False),
    sa.Column('message_id', sa.String(length=200), nullable=True),
    sa.Column('detail', sa.String(length=120), nullable=True),
    sa.Column('recorded_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['notice_id'], ['notices.id'], name=op.f('fk_deliveries_notice_id_notices')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deliveries')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_deliveries_notice_id'), ['notice_id'], unique=False)

    op.create_table('leads',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('url_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('host_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('site_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('origin', sa.String(length=40), nullable=False),
    sa.Column('path_prefix_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('depth', sa.BigInteger(), nullable=True),
    sa.Column('pages', sa.BigInteger(), nullable=True),
    sa.Column('seconds', sa.BigInteger(), nullable=True),
    sa.Column('invalid_tls', sa.String(length=40), nullable=False),
    sa.Column('added_by', sa.String(length=64), nullable=False),
    sa.Column('added_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['host_id'], ['addresses.id'], name=op.f('fk_leads_host_id_addresses')),
    sa.ForeignKeyConstraint(['path_prefix_id'], ['addresses.id'], name=op.f('fk_leads_path_prefix_id_addresses')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_leads_site_id_sites')),
    sa.ForeignKeyConstraint(['url_id'], ['addresses.id'], name=op.f('fk_leads_url_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_leads')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('leads', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_leads_host_id'), ['host_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_leads_site_id'), ['site_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_leads_url_id'), ['url_id'], unique=False)

    op.create_table('releases',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('notice_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('released_by', sa.String(length=64), nullable=False),
    sa.Column('os_user', sa.String(length=64), nullable=False),
    sa.Column('preserved_by', sa.String(length=120), nullable=True),
    sa.Column('police_cleared', sa.Boolean(), nullable=False),
    sa.Column('released_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['notice_id'], ['notices.id'], name=op.f('fk_releases_notice_id_notices')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_releases')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('releases', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_releases_notice_id'), ['notice_id'], unique=False)

    op.create_table('replies',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('notice_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('message_id', sa.String(length=200), nullable=True),
    sa.Column('ticket', sa.String(length=120), nullable=True),
    sa.Column('headers_sha256', sa.String(length=64), nullable=False),
    sa.Column('body_sha256', sa.String(length=64), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('matched_by', sa.String(length=64), nullable=True),
    sa.Column('received_at', sa.String(length=27), nullable=False),
    sa.Column('recorded_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['notice_id'], ['notices.id'], name=op.f('fk_replies_notice_id_notices')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_replies')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('replies', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_replies_notice_id'), ['notice_id'], unique=False)

    op.create_table('site_frames',
    sa.Column('site_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('tag', sa.LargeBinary(length=16), nullable=False),
    sa.Column('seen', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_site_frames_site_id_sites')),
    sa.PrimaryKeyConstraint('site_id', 'tag', name=op.f('pk_site_frames'))
    )
    op.create_table('site_patterns',
    sa.Column('site_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('pattern', sa.String(length=64), nullable=False),
    sa.Column('asked', sa.Integer(), nullable=False),
    sa.Column('gained', sa.Float(precision=53), nullable=False),
    sa.Column('refused', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_site_patterns_site_id_sites')),
    sa.PrimaryKeyConstraint('site_id', 'pattern', name=op.f('pk_site_patterns'))
    )
    op.create_table('site_slots',
    sa.Column('site_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('holder', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_site_slots_site_id_sites')),
    sa.PrimaryKeyConstraint('site_id', name=op.f('pk_site_slots'))
    )
    op.create_table('case_changes',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('case_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('action', sa.String(length=40), nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('other_case_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('assignee', sa.String(length=64), nullable=True),
    sa.Column('note_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('changed_by', sa.String(length=64), nullable=False),
    sa.Column('changed_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['case_id'], ['cases.id'], name=op.f('fk_case_changes_case_id_cases')),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_case_changes_lead_id_leads')),
    sa.ForeignKeyConstraint(['note_id'], ['addresses.id'], name=op.f('fk_case_changes_note_id_addresses')),
    sa.ForeignKeyConstraint(['other_case_id'], ['cases.id'], name=op.f('fk_case_changes_other_case_id_cases')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_case_changes')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('case_changes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_case_changes_case_id'), ['case_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_case_changes_lead_id'), ['lead_id'], unique=False)

    op.create_table('hosting',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('host_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('mode', sa.String(length=16), nullable=False),
    sa.Column('addresses', sa.String(length=2000), nullable=False),
    sa.Column('cname_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('ns_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('dns_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('proxied', sa.Boolean(), nullable=True),
    sa.Column('proxy', sa.String(length=64), nullable=True),
    sa.Column('platform', sa.String(length=120), nullable=True),
    sa.Column('network_name', sa.String(length=200), nullable=True),
    sa.Column('network_range', sa.String(length=100), nullable=True),
    sa.Column('network_handle', sa.String(length=100), nullable=True),
    sa.Column('holder', sa.String(length=200), nullable=True),
    sa.Column('asn', sa.BigInteger(), nullable=True),
    sa.Column('as_name', sa.String(length=200), nullable=True),
    sa.Column('country', sa.String(length=2), nullable=True),
    sa.Column('country_level', sa.String(length=40), nullable=False),
    sa.Column('country_sources', sa.String(length=4000), nullable=False),
    sa.Column('registration_country', sa.String(length=2), nullable=True),
    sa.Column('holder_country', sa.String(length=2), nullable=True),
    sa.Column('as_country', sa.String(length=2), nullable=True),
    sa.Column('geofeed_country', sa.String(length=2), nullable=True),
    sa.Column('national_route', sa.String(length=120), nullable=True),
    sa.Column('contacts_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('rejected_contacts_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('registrar', sa.String(length=200), nullable=True),
    sa.Column('registrar_contact_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('answers_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('set_by', sa.String(length=64), nullable=True),
    sa.Column('resolved_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['answers_id'], ['addresses.id'], name=op.f('fk_hosting_answers_id_addresses')),
    sa.ForeignKeyConstraint(['cname_id'], ['addresses.id'], name=op.f('fk_hosting_cname_id_addresses')),
    sa.ForeignKeyConstraint(['contacts_id'], ['addresses.id'], name=op.f('fk_hosting_contacts_id_addresses')),
    sa.ForeignKeyConstraint(['dns_id'], ['addresses.id'], name=op.f('fk_hosting_dns_id_addresses')),
    sa.ForeignKeyConstraint(['host_id'], ['addresses.id'], name=op.f('fk_hosting_host_id_addresses')),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_hosting_lead_id_leads')),
    sa.ForeignKeyConstraint(['ns_id'], ['addresses.id'], name=op.f('fk_hosting_ns_id_addresses')),
    sa.ForeignKeyConstraint(['registrar_contact_id'], ['addresses.id'], name=op.f('fk_hosting_registrar_contact_id_addresses')),
    sa.ForeignKeyConstraint(['rejected_contacts_id'], ['addresses.id'], name=op.f('fk_hosting_rejected_contacts_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hosting')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('hosting', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_hosting_host_id'), ['host_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_hosting_lead_id'), ['lead_id'], unique=False)

    op.create_table('pages',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('site_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('parent_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('round', sa.BigInteger(), nullable=False),
    sa.Column('url_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('final_url_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('redirects_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('status', sa.BigInteger(), nullable=True),
    sa.Column('outcome', sa.String(length=40), nullable=False),
    sa.Column('refused', sa.String(length=40), nullable=True),
    sa.Column('error', sa.String(length=40), nullable=True),
    sa.Column('role', sa.String(length=40), nullable=False),
    sa.Column('media_type', sa.String(length=80), nullable=True),
    sa.Column('charset', sa.String(length=40), nullable=True),
    sa.Column('content_encoding', sa.String(length=40), nullable=True),
    sa.Column('size_bytes', sa.BigInteger(), nullable=True),
    sa.Column('encoded_size_bytes', sa.BigInteger(), nullable=True),
    sa.Column('depth', sa.BigInteger(), nullable=False),
    sa.Column('via', sa.String(length=8), nullable=False),
    sa.Column('vantage', sa.String(length=32), nullable=False),
    sa.Column('dns_answers_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('peer_ip', sa.String(length=45), nullable=True),
    sa.Column('peer_port', sa.BigInteger(), nullable=True),
    sa.Column('tls_sha256', sa.String(length=64), nullable=True),
    sa.Column('tls_version', sa.String(length=16), nullable=True),
    sa.Column('tls_valid', sa.Boolean(), nullable=True),
    sa.Column('tls_problem', sa.String(length=40), nullable=True),
    sa.Column('robots', sa.String(length=16), nullable=True),
    sa.Column('request_headers_sha256', sa.String(length=64), nullable=True),
    sa.Column('response_headers_sha256', sa.String(length=64), nullable=True),
    sa.Column('connections', sa.BigInteger(), nullable=True),
    sa.Column('block_print', sa.LargeBinary(length=64), nullable=True),
    sa.Column('started_at', sa.String(length=27), nullable=False),
    sa.Column('fetched_at', sa.String(length=27), nullable=False),
    sa.Column('clock_offset_ms', sa.BigInteger(), nullable=True),
    sa.Column('tool_version', sa.String(length=32), nullable=False),
    sa.Column('config_sha256', sa.String(length=64), nullable=False),
    sa.Column('terms_version', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['dns_answers_id'], ['addresses.id'], name=op.f('fk_pages_dns_answers_id_addresses')),
    sa.ForeignKeyConstraint(['final_url_id'], ['addresses.id'], name=op.f('fk_pages_final_url_id_addresses')),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_pages_lead_id_leads')),
    sa.ForeignKeyConstraint(['parent_id'], ['pages.id'], name=op.f('fk_pages_parent_id_pages')),
    sa.ForeignKeyConstraint(['redirects_id'], ['addresses.id'], name=op.f('fk_pages_redirects_id_addresses')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_pages_site_id_sites')),
    sa.ForeignKeyConstraint(['url_id'], ['addresses.id'], name=op.f('fk_pages_url_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pages')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('pages', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_pages_final_url_id'), ['final_url_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_pages_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_pages_site_id'), ['site_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_pages_url_id'), ['url_id'], unique=False)

    op.create_table('referrals',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('first_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('receiver', sa.String(length=120), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('status', sa.String(length=16), nullable=False),
    sa.Column('foreign_reference', sa.String(length=120), nullable=True),
    sa.Column('note_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('recorded_by', sa.String(length=64), nullable=False),
    sa.Column('recorded_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['first_id'], ['referrals.id'], name=op.f('fk_referrals_first_id_referrals')),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_referrals_lead_id_leads')),
    sa.ForeignKeyConstraint(['note_id'], ['addresses.id'], name=op.f('fk_referrals_note_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_referrals')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('referrals', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_referrals_lead_id'), ['lead_id'], unique=False)

    op.create_table('reports',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('source', sa.String(length=120), nullable=False),
    sa.Column('reference', sa.String(length=120), nullable=False),
    sa.Column('category', sa.String(length=64), nullable=True),
    sa.Column('classification', sa.String(length=32), nullable=True),
    sa.Column('confirmed_by', sa.String(length=64), nullable=True),
    sa.Column('note_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('received_at', sa.String(length=27), nullable=True),
    sa.Column('added_by', sa.String(length=64), nullable=False),
    sa.Column('added_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_reports_lead_id_leads')),
    sa.ForeignKeyConstraint(['note_id'], ['addresses.id'], name=op.f('fk_reports_note_id_addresses')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reports')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('reports', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_reports_lead_id'), ['lead_id'], unique=False)

    op.create_table('evidence',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('site_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('page_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('page_ids', sa.String(length=4000), nullable=False),
    sa.Column('parts', sa.BigInteger(), nullable=False),
    sa.Column('body_sha256', sa.String(length=64), nullable=True),
    sa.Column('encoded_sha256', sa.String(length=64), nullable=True),
    sa.Column('commitment', sa.String(length=64), nullable=True),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('block_tags', sa.LargeBinary(length=8192), nullable=False),
    sa.Column('frame_blocks', sa.BigInteger(), nullable=False),
    sa.Column('sketch', sa.LargeBinary(length=320), nullable=False),
    sa.Column('shingles', sa.BigInteger(), nullable=False),
    sa.Column('shingle_letters', sa.BigInteger(), nullable=False),
    sa.Column('fingerprint_version', sa.BigInteger(), nullable=False),
    sa.Column('norm_version', sa.BigInteger(), nullable=False),
    sa.Column('unicode_version', sa.String(length=16), nullable=False),
    sa.Column('key_epoch', sa.BigInteger(), nullable=False),
    sa.Column('stoplist_version', sa.BigInteger(), nullable=False),
    sa.Column('rules', sa.String(length=4000), nullable=False),
    sa.Column('score', sa.Float(precision=53), nullable=False),
    sa.Column('threshold', sa.Float(precision=53), nullable=False),
    sa.Column('terms_version', sa.BigInteger(), nullable=False),
    sa.Column('matches', sa.String(length=8000), nullable=False),
    sa.Column('level', sa.String(length=40), nullable=False),
    sa.Column('recorded_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_evidence_lead_id_leads')),
    sa.ForeignKeyConstraint(['page_id'], ['pages.id'], name=op.f('fk_evidence_page_id_pages')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_evidence_site_id_sites')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evidence')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('evidence', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_evidence_lead_id'), ['lead_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_evidence_page_id'), ['page_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_evidence_site_id'), ['site_id'], unique=False)

    op.create_table('frontier',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('site_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('url_tag', sa.LargeBinary(length=32), nullable=False),
    sa.Column('url_enc', sa.LargeBinary(length=2200), nullable=False),
    sa.Column('key_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('priority', sa.Float(precision=53), nullable=False),
    sa.Column('depth', sa.Integer(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('round', sa.Integer(), nullable=False),
    sa.Column('parent_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('pattern', sa.String(length=64), nullable=False),
    sa.Column('due_at', sa.String(length=27), nullable=True),
    sa.CheckConstraint("state IN ('pending', 'done', 'failed')", name=op.f('ck_frontier_state')),
    sa.ForeignKeyConstraint(['key_id'], ['data_keys.id'], name=op.f('fk_frontier_key_id_data_keys')),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_frontier_lead_id_leads')),
    sa.ForeignKeyConstraint(['parent_id'], ['pages.id'], name=op.f('fk_frontier_parent_id_pages')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_frontier_site_id_sites')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_frontier')),
    sa.UniqueConstraint('site_id', 'url_tag', name=op.f('uq_frontier_site_id_url_tag')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('frontier', schema=None) as batch_op:
        batch_op.create_index('ix_frontier_lead_id', ['lead_id'], unique=False)
        batch_op.create_index('ix_frontier_next', ['site_id', 'state', sa.literal_column('priority DESC'), 'id'], unique=False)

    op.create_table('proposals',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('found_on', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('score', sa.Float(precision=53), nullable=False),
    sa.Column('reasons', sa.String(length=500), nullable=False),
    sa.Column('found_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['found_on'], ['pages.id'], name=op.f('fk_proposals_found_on_pages')),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_proposals_lead_id_leads')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_proposals')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('proposals', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_proposals_found_on'), ['found_on'], unique=False)
        batch_op.create_index(batch_op.f('ix_proposals_lead_id'), ['lead_id'], unique=False)

    op.create_table('checks',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('evidence_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('signal', sa.String(length=40), nullable=False),
    sa.Column('state', sa.String(length=40), nullable=False),
    sa.Column('moved', sa.Boolean(), nullable=False),
    sa.Column('containment', sa.Float(precision=53), nullable=True),
    sa.Column('blocks_shared', sa.BigInteger(), nullable=True),
    sa.Column('rules_score', sa.Float(precision=53), nullable=True),
    sa.Column('http_status', sa.BigInteger(), nullable=True),
    sa.Column('error', sa.String(length=40), nullable=True),
    sa.Column('final_url_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('peer_ip', sa.String(length=45), nullable=True),
    sa.Column('vantage', sa.String(length=32), nullable=False),
    sa.Column('requests', sa.BigInteger(), nullable=False),
    sa.Column('body_sha256', sa.String(length=64), nullable=True),
    sa.Column('last_present', sa.String(length=27), nullable=True),
    sa.Column('first_absent', sa.String(length=27), nullable=True),
    sa.Column('confirmed_at', sa.String(length=27), nullable=True),
    sa.Column('due_at', sa.String(length=27), nullable=True),
    sa.Column('checked_at', sa.String(length=27), nullable=False),
    sa.ForeignKeyConstraint(['evidence_id'], ['evidence.id'], name=op.f('fk_checks_evidence_id_evidence')),
    sa.ForeignKeyConstraint(['final_url_id'], ['addresses.id'], name=op.f('fk_checks_final_url_id_addresses')),
    sa.ForeignKeyConstraint(['lead_id'], ['leads.id'], name=op.f('fk_checks_lead_id_leads')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_checks')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('checks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_checks_due_at'), ['due_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_checks_evidence_id'), ['evidence_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_checks_final_url_id'), ['final_url_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_checks_lead_id'), ['lead_id'], unique=False)

    op.create_table('evidence_blocks',
    sa.Column('tag', sa.LargeBinary(length=16), nullable=False),
    sa.Column('evidence_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.ForeignKeyConstraint(['evidence_id'], ['evidence.id'], name=op.f('fk_evidence_blocks_evidence_id_evidence')),
    sa.PrimaryKeyConstraint('tag', 'evidence_id', name=op.f('pk_evidence_blocks')),
    sqlite_with_rowid=False
    )
    op.create_table('evidence_shingles',
    sa.Column('epoch', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('hash', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('evidence_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.ForeignKeyConstraint(['evidence_id'], ['evidence.id'], name=op.f('fk_evidence_shingles_evidence_id_evidence')),
    sa.PrimaryKeyConstraint('epoch', 'hash', 'evidence_id', name=op.f('pk_evidence_shingles')),
    sqlite_with_rowid=False
    )
    dialect = op.get_bind().dialect.name
    for statement in triggers.guard(dialect, APPEND_ONLY, mode_key="mode", salts="salts"):
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.drop_table('evidence_shingles')
    op.drop_table('evidence_blocks')
    with op.batch_alter_table('checks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_checks_lead_id'))
        batch_op.drop_index(batch_op.f('ix_checks_final_url_id'))
        batch_op.drop_index(batch_op.f('ix_checks_evidence_id'))
        batch_op.drop_index(batch_op.f('ix_checks_due_at'))

    op.drop_table('checks')
    with op.batch_alter_table('proposals', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_proposals_lead_id'))
        batch_op.drop_index(batch_op.f('ix_proposals_found_on'))

    op.drop_table('proposals')
    with op.batch_alter_table('frontier', schema=None) as batch_op:
        batch_op.drop_index('ix_frontier_next')
        batch_op.drop_index('ix_frontier_lead_id')

    op.drop_table('frontier')
    with op.batch_alter_table('evidence', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_evidence_site_id'))
        batch_op.drop_index(batch_op.f('ix_evidence_page_id'))
        batch_op.drop_index(batch_op.f('ix_evidence_lead_id'))

    op.drop_table('evidence')
    with op.batch_alter_table('reports', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_reports_lead_id'))

    op.drop_table('reports')
    with op.batch_alter_table('referrals', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_referrals_lead_id'))

    op.drop_table('referrals')
    with op.batch_alter_table('pages', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_pages_url_id'))
        batch_op.drop_index(batch_op.f('ix_pages_site_id'))
        batch_op.drop_index(batch_op.f('ix_pages_lead_id'))
        batch_op.drop_index(batch_op.f('ix_pages_final_url_id'))

    op.drop_table('pages')
    with op.batch_alter_table('hosting', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_hosting_lead_id'))
        batch_op.drop_index(batch_op.f('ix_hosting_host_id'))

    op.drop_table('hosting')
    with op.batch_alter_table('case_changes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_case_changes_lead_id'))
        batch_op.drop_index(batch_op.f('ix_case_changes_case_id'))

    op.drop_table('case_changes')
    op.drop_table('site_slots')
    op.drop_table('site_patterns')
    op.drop_table('site_frames')
    with op.batch_alter_table('replies', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_replies_notice_id'))

    op.drop_table('replies')
    with op.batch_alter_table('releases', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_releases_notice_id'))

    op.drop_table('releases')
    with op.batch_alter_table('leads', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_leads_url_id'))
        batch_op.drop_index(batch_op.f('ix_leads_site_id'))
        batch_op.drop_index(batch_op.f('ix_leads_host_id'))

    op.drop_table('leads')
    with op.batch_alter_table('deliveries', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_deliveries_notice_id'))

    op.drop_table('deliveries')
    op.drop_table('sites')
    op.drop_table('rules')
    op.drop_table('reveals')
    with op.batch_alter_table('queries', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_queries_name_id'))

    op.drop_table('queries')
    with op.batch_alter_table('notices', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_notices_recipient_id'))
        batch_op.drop_index(batch_op.f('ix_notices_case_id'))

    op.drop_table('notices')
    with op.batch_alter_table('lookup_cache', schema=None) as batch_op:
        batch_op.drop_index('ix_lookup_cache_range')

    op.drop_table('lookup_cache')
    with op.batch_alter_table('decisions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_decisions_subject_id'))

    op.drop_table('decisions')
    op.drop_table('unsealed')
    op.drop_table('salts')
    op.drop_table('leaves')
    with op.batch_alter_table('addresses', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_addresses_tag'))

    op.drop_table('addresses')
    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_users_name'))

    op.drop_table('users')
    op.drop_table('meta')
    op.drop_table('limiters')
    op.drop_table('heads')
    op.drop_table('entries')
    op.drop_table('data_keys')
    op.drop_table('cases')
    for statement in triggers.unguard(op.get_bind().dialect.name):
        op.execute(statement)
