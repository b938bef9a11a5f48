// SDP: see docs/architecture.md.
