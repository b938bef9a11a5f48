// The simulated network of docs/architecture.md.
