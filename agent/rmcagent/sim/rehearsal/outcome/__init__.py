"""What rehearsals came to: one (tally), many (tally, fleet), at worst by the policy alone (bounds), and how it is told (told)."""
