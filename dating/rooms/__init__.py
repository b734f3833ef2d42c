"""The built-in room: two browsers find each other through the web process, then speak directly.

The web process passes on what the two have to tell each other (a call's description and its ways through
the network), says until when the call lasts, and ends it. Sound and picture never pass through it.
See docs/dating.md and docs/adr/0039.
"""
