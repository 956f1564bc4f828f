"""The commands of `leadline`, one module a noun; each offers its Typer app and imports late."""
