"""Names of hosts in other letters than ASCII's, read alike for mail and webhooks: after IDNA 2008.

The standard library's is that of 2003, by which ``straße.de`` is ``strasse.de``, which may be another's.
"""

import unicodedata

import idna


def ascii_domain(domain: str) -> str:
    """Return a domain in lower case and ASCII; raises ValueError if IDNA 2008 has no form for it."""
    if domain.isascii():
        return domain.lower()
    # The mapping would leave some of these out, so that two names that look alike are one.
    if any(unicodedata.category(each)[0] in "CZ" for each in domain):
        raise ValueError("invisible characters")
    return idna.encode(domain, uts46=True).decode()
