"""What our 1.6 requests set in motion: payloads and answers translated for the domain. One file a profile."""
