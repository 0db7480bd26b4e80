"""How well it learns, part by part and beside a peer."""
