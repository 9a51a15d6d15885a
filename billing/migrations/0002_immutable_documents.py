"""CDRs and tariff versions cannot be edited, whoever tries."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER billing_cdr_immutable BEFORE UPDATE OR DELETE ON billing_cdr
FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();

CREATE TRIGGER billing_tariff_version_immutable BEFORE UPDATE OR DELETE ON billing_tariffversion
FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
"""

BACKWARDS = """
DROP TRIGGER billing_tariff_version_immutable ON billing_tariffversion;
DROP TRIGGER billing_cdr_immutable ON billing_cdr;
DROP FUNCTION billing_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
