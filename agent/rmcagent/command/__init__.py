"""What each verb of the command line does; each loads what it needs when it runs, so that `status` loads little."""
