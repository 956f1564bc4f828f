"""Who hosts a page, in which country, and whom to write to."""
