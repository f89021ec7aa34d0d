"""What infra needs from outside and may have to build: the Pulumi engine and Debian root file systems."""
