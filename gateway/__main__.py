"""`python -m gateway` is `xapi-gateway`."""

from gateway.cli import main

main(prog_name="xapi-gateway")
