"""One-click unsubscribe: the link in a mail that switches off its kind, without logging in (RFC 8058)."""
