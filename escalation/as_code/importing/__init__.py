"""Set-ups of other systems, from what their APIs list, as the files of `manage.py apply`. Pure."""
