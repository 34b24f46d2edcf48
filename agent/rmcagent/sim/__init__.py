"""The simulated partition: backs demo, rehearse and the tests; nothing else imports it."""
