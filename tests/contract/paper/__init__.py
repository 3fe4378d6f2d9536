"""The paper broker keeps the contract, over the wire against a real exchange process."""
