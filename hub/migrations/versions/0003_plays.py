"""Plays: rules that start them, goals, the holdout, the contact budget"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0003_plays'
down_revision = '0002_blueprint'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('rule_followed',
    sa.Column('play', sa.String(), nullable=False),
    sa.Column('digest', sa.String(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('play', name=op.f('pk_rule_followed'))
    )
    op.create_table('rule_holds',
    sa.Column('play', sa.String(), nullable=False),
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('play', 'account_id', name=op.f('pk_rule_holds'))
    )
    op.create_index(op.f('ix_rule_holds_account_id'), 'rule_holds', ['account_id'], unique=False)
    op.add_column('run', sa.Column('priority', sa.BigInteger(), server_default=sa.text('50'), nullable=False))
    op.add_column('run', sa.Column('goal_by', sa.DateTime(timezone=True), nullable=True))
    op.add_column('run', sa.Column('goal_reached_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('run', sa.Column('ending', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_index('ix_run_alive', 'run', ['account_id'], unique=False, postgresql_where=sa.text("status IN ('running', 'held')"))
    op.create_index('ix_run_goal', 'run', ['account_id', 'goal_by'], unique=False, postgresql_where=sa.text('goal_by IS NOT NULL'))
    op.add_column('step_call', sa.Column('round', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
    op.add_column('step_call', sa.Column('waiting_since', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_step_call_waiting', 'step_call', ['person_id'], unique=False, postgresql_where=sa.text('waiting_since IS NOT NULL'))
    op.add_column('task', sa.Column('kind', sa.String(), server_default=sa.text("'work'"), nullable=False))
    op.add_column('task', sa.Column('approved', sa.Boolean(), nullable=True))
    op.create_index(op.f('ix_touch_account_id_touched_at'), 'touch', ['account_id', 'touched_at'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_touch_account_id_touched_at'), table_name='touch')
    op.drop_column('task', 'approved')
    op.drop_column('task', 'kind')
    op.drop_index('ix_step_call_waiting', table_name='step_call', postgresql_where=sa.text('waiting_since IS NOT NULL'))
    op.drop_column('step_call', 'waiting_since')
    op.drop_column('step_call', 'round')
    op.drop_index('ix_run_goal', table_name='run', postgresql_where=sa.text('goal_by IS NOT NULL'))
    op.drop_index('ix_run_alive', table_name='run', postgresql_where=sa.text("status IN ('running', 'held')"))
    op.drop_column('run', 'ending')
    op.drop_column('run', 'goal_reached_at')
    op.drop_column('run', 'goal_by')
    op.drop_column('run', 'priority')
    op.drop_index(op.f('ix_rule_holds_account_id'), table_name='rule_holds')
    op.drop_table('rule_holds')
    op.drop_table('rule_followed')
