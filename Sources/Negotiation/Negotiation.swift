// Negotiation: see docs/architecture.md.
