"""The transport: text or nothing, from socket to proven characters."""
