"""The command line and the practice web: joins the steps of the chain."""
