"""Eyes and hands: the only room that touches the machine."""
