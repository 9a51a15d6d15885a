"""Whoever changes a row that gateways keep in memory wakes them, whichever way the change is made."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION stations_notify_station() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM pg_notify('magetsi_cache', 'station:' || OLD.identity);
    END IF;
    IF TG_OP <> 'DELETE' AND (TG_OP = 'INSERT' OR NEW.identity <> OLD.identity) THEN
        PERFORM pg_notify('magetsi_cache', 'station:' || NEW.identity);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER stations_notify_station AFTER INSERT OR UPDATE OR DELETE ON stations_chargingstation
FOR EACH ROW EXECUTE FUNCTION stations_notify_station();

CREATE FUNCTION stations_notify_command() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('magetsi_command', NEW.station_id::text);
    RETURN NULL;
END $$;

CREATE TRIGGER stations_notify_command AFTER INSERT ON stations_command
FOR EACH ROW EXECUTE FUNCTION stations_notify_command();
"""

BACKWARDS = """
DROP TRIGGER stations_notify_command ON stations_command;
DROP FUNCTION stations_notify_command();
DROP TRIGGER stations_notify_station ON stations_chargingstation;
DROP FUNCTION stations_notify_station();
"""


class Migration(migrations.Migration):
    dependencies = [("stations", "0002_time_series")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
