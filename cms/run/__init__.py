"""Running Magetsi without installing anything: embedded services, `make run`, services for tests."""
