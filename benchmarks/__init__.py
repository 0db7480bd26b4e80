"""Speed and fidelity, measured side by side with named rivals. See README.md."""
