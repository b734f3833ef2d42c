"""Ways of telling people: a module or folder each, all in the registry; transport/ is what they send by."""
