"""What the end-to-end tests share: stubs, the stack, views of the machine."""
