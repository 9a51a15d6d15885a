"""Keeping stations in good order: certificates, security events, firmware, logs."""
