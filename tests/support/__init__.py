"""What the tests share: databases with the schema in them, and the people who call it."""
