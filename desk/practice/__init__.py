"""The practice web: small sites about sourdough on loopback, for trying the whole chain."""
