"""A campaign of faults against processes that tune a study, and an audit of what they leave behind."""
