"""Ledger rows never change, and what one transaction moves adds up to zero in one currency."""

from django.db import migrations

FORWARDS = """
CREATE TRIGGER billing_ledger_account_immutable BEFORE UPDATE OR DELETE ON billing_ledgeraccount
FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();

CREATE TRIGGER billing_ledger_transaction_immutable BEFORE UPDATE OR DELETE ON billing_ledgertransaction
FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();

CREATE TRIGGER billing_ledger_entry_immutable BEFORE UPDATE OR DELETE ON billing_ledgerentry
FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();

CREATE FUNCTION billing_check_ledger(posted bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    entries integer;
    total numeric;
    strangers integer;
BEGIN
    SELECT count(*), coalesce(sum(entry.amount_minor), 0),
           count(*) FILTER (WHERE account.operator_id <> t.operator_id OR account.currency <> t.currency)
      INTO entries, total, strangers
      FROM billing_ledgertransaction t
      JOIN billing_ledgerentry entry ON entry.transaction_id = t.id
      JOIN billing_ledgeraccount account ON account.id = entry.account_id
     WHERE t.id = posted;
    IF entries < 2 OR total <> 0 OR strangers > 0 THEN
        RAISE EXCEPTION 'ledger transaction % does not add up: % entries, sum %, % of another operator or currency',
            posted, entries, total, strangers USING ERRCODE = 'integrity_constraint_violation';
    END IF;
END $$;

CREATE FUNCTION billing_ledger_transaction_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM billing_check_ledger(NEW.id);
    RETURN NULL;
END $$;

CREATE FUNCTION billing_ledger_entry_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM billing_check_ledger(NEW.transaction_id);
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER billing_ledger_transaction_adds_up AFTER INSERT ON billing_ledgertransaction
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_ledger_transaction_adds_up();

CREATE CONSTRAINT TRIGGER billing_ledger_entry_adds_up AFTER INSERT ON billing_ledgerentry
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_ledger_entry_adds_up();
"""

BACKWARDS = """
DROP TRIGGER billing_ledger_entry_adds_up ON billing_ledgerentry;
DROP TRIGGER billing_ledger_transaction_adds_up ON billing_ledgertransaction;
DROP FUNCTION billing_ledger_entry_adds_up();
DROP FUNCTION billing_ledger_transaction_adds_up();
DROP FUNCTION billing_check_ledger(bigint);
DROP TRIGGER billing_ledger_entry_immutable ON billing_ledgerentry;
DROP TRIGGER billing_ledger_transaction_immutable ON billing_ledgertransaction;
DROP TRIGGER billing_ledger_account_immutable ON billing_ledgeraccount;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_ledger")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
