"""What is judged: one function a rule, over what was recorded; none of them asks anything."""
