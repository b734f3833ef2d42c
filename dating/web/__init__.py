"""The pages of dating: for those who take part, and for those who run an evening."""
