"""Files to nouns and back: the project folder, read, checked and written."""
