"""What the gate does outside: webhook deliveries, at least once and idempotent."""
