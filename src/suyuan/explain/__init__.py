"""Why a section moved: two waters that mix, parts of a change that add up, what enters and leaves a town."""
