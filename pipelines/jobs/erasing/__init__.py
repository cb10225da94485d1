"""`calfwatch forget`: what is erased, where traces of it lie, who still holds it, and the records written anew."""
