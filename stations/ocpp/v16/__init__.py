"""OCPP 1.6J: one file an action; `routes` is the table of them."""
