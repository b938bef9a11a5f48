// Signalling: see docs/architecture.md.
