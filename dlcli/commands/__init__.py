"""One module a command: run(options, reporter) -> a result; orchestrates, never prints."""
