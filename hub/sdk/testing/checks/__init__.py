"""The sixteen checks of the contract, each a function from a plugin to what is wrong with it."""
