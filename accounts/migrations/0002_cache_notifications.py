"""Whoever changes what decides about an id token wakes the gateways, whichever way it is made."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION accounts_notify_id_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('magetsi_cache', 'id_token:' || OLD.operator_id || ':' || OLD.uid_folded);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_notify('magetsi_cache', 'id_token:' || NEW.operator_id || ':' || NEW.uid_folded);
    END IF;
    RETURN NULL;
END $$;

-- `last_used_at` alone decides nothing.
CREATE TRIGGER accounts_notify_id_token_change
AFTER UPDATE OF operator_id, uid, uid_folded, type, status, expires_at, group_id, max_concurrent
ON accounts_idtoken FOR EACH ROW EXECUTE FUNCTION accounts_notify_id_token();

CREATE TRIGGER accounts_notify_id_token_life AFTER INSERT OR DELETE ON accounts_idtoken
FOR EACH ROW EXECUTE FUNCTION accounts_notify_id_token();

CREATE FUNCTION accounts_notify_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('magetsi_cache', 'group:' || COALESCE(NEW.operator_id, OLD.operator_id));
    RETURN NULL;
END $$;

CREATE TRIGGER accounts_notify_group AFTER UPDATE OR DELETE ON accounts_idtokengroup
FOR EACH ROW EXECUTE FUNCTION accounts_notify_group();

CREATE FUNCTION accounts_notify_right() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('magetsi_cache', 'id_token:' || operator_id || ':' || uid_folded)
    FROM accounts_idtoken WHERE id = COALESCE(NEW.id_token_id, OLD.id_token_id);
    RETURN NULL;
END $$;

CREATE TRIGGER accounts_notify_right AFTER INSERT OR UPDATE OR DELETE ON accounts_chargingright
FOR EACH ROW EXECUTE FUNCTION accounts_notify_right();
"""

BACKWARDS = """
DROP TRIGGER accounts_notify_right ON accounts_chargingright;
DROP FUNCTION accounts_notify_right();
DROP TRIGGER accounts_notify_group ON accounts_idtokengroup;
DROP FUNCTION accounts_notify_group();
DROP TRIGGER accounts_notify_id_token_life ON accounts_idtoken;
DROP TRIGGER accounts_notify_id_token_change ON accounts_idtoken;
DROP FUNCTION accounts_notify_id_token();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
