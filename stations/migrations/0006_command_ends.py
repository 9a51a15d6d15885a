"""Whatever ends a command, its follow-up is a row of the outbox written with the end; and numbers for the wire."""

from django.db import migrations

FORWARDS = """
-- Ids that we choose and stations repeat: reservationId, requestId, chargingProfileId. OCPP 2.x wants them
-- positive, all versions fit them into 32 bits.
CREATE SEQUENCE stations_wire_id AS integer MINVALUE 1 CYCLE;

CREATE FUNCTION stations_command_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO base_outboxitem (topic, key, payload) VALUES ('command.ended', NEW.id::text, '{}');
    RETURN NULL;
END $$;

-- A late answer after a time-out tells how it really ended.
CREATE TRIGGER stations_command_ended AFTER UPDATE ON stations_command
FOR EACH ROW WHEN (
    NEW.finished_at IS NOT NULL
    AND (OLD.finished_at IS NULL OR NEW.response IS DISTINCT FROM OLD.response)
)
EXECUTE FUNCTION stations_command_ended();
"""

BACKWARDS = """
DROP TRIGGER stations_command_ended ON stations_command;
DROP FUNCTION stations_command_ended();
DROP SEQUENCE stations_wire_id;
"""


class Migration(migrations.Migration):
    dependencies = [("stations", "0005_operations"), ("base", "0001_initial")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
