"""Whoever changes what a token may do tells the outbox, whichever way it is made: local lists follow it."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION accounts_id_token_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO base_outboxitem (topic, key, payload) VALUES (
        'id_token.changed', OLD.id::text,
        jsonb_build_object('operator_id', OLD.operator_id, 'uid', OLD.uid)
    );
    RETURN NULL;
END $$;

CREATE TRIGGER accounts_id_token_changed AFTER UPDATE ON accounts_idtoken
FOR EACH ROW WHEN (
    (OLD.uid_folded, OLD.status, OLD.expires_at, OLD.group_id)
    IS DISTINCT FROM (NEW.uid_folded, NEW.status, NEW.expires_at, NEW.group_id)
)
EXECUTE FUNCTION accounts_id_token_changed();

CREATE TRIGGER accounts_id_token_deleted AFTER DELETE ON accounts_idtoken
FOR EACH ROW EXECUTE FUNCTION accounts_id_token_changed();
"""

BACKWARDS = """
DROP TRIGGER accounts_id_token_deleted ON accounts_idtoken;
DROP TRIGGER accounts_id_token_changed ON accounts_idtoken;
DROP FUNCTION accounts_id_token_changed();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_cache_notifications"), ("base", "0001_initial")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
