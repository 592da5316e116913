"""The worker as it is installed on a machine: configured as the documents say, beside both simulators."""

import json
import re
from typing import Any

from worlds.machine import Machine

INSTANCE = "demo"
SERVICE = f"envision-worker@{INSTANCE}"
ETC = "/etc/envision-worker"
CONFIG = f"{ETC}/{INSTANCE}.toml"
STATE = f"/var/lib/envision-worker/{INSTANCE}"
PEERS = {"ensono": 9101, "manageengine": 9102}
SAMPLES = 12
"""How many messages the simulated queue holds at first."""

_CHANGED = (
    ('^environment = ".*"$', 'environment = "dev"'),
    ("https://smconnect.ensono.com", f"http://127.0.0.1:{PEERS['ensono']}"),
    ("https://sdp.example.com:8080", f"http://127.0.0.1:{PEERS['manageengine']}"),
    ("^#allowed_hosts = .*$", 'allowed_hosts = ["127.0.0.1"]'),
    ("^#allow_insecure_http = .*$", "allow_insecure_http = true"),
    ("^#fallback_approver = .*$", 'fallback_approver = { email_id = "cab@example.com" }'),
)


def simulate(machine: Machine) -> None:
    """Have both simulators run as services of the machine."""
    for peer, port in PEERS.items():
        output = f"--property=StandardOutput=file:/run/{peer}.out"
        command = ("envision-worker", "simulate", peer, "--port", str(port))
        machine.run("systemd-run", "--quiet", f"--unit=simulated-{peer}", output, *command)
    for peer in PEERS:
        machine.until(f"cat /run/{peer}.out", "Make trouble")


def pointed_at_them(text: str) -> str:
    """The packaged example configuration, edited so that its peers are the simulators."""
    for pattern, replacement in _CHANGED:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def keys(machine: Machine) -> dict[str, str]:
    """The keys that the simulators take, by the names of the files that hold them, without the instance's."""
    found = {}
    for secret, key, peer in (("ensono-api-key", "api_key", "ensono"), ("sdp-authtoken", "auth_token", "manageengine")):
        [found[secret]] = re.findall(rf'^{key} = "(.*)"$', machine.run("cat", f"/run/{peer}.out"), flags=re.MULTILINE)
    return found


def configure(machine: Machine) -> None:
    """Write the instance's configuration, made of the packaged example, and its secrets, each for whom it is."""
    example = machine.run("cat", f"{ETC}/prod.toml.example")
    machine.write(CONFIG, pointed_at_them(example.replace("prod", INSTANCE)), mode="640", group="envision-worker")
    for secret, key in keys(machine).items():
        machine.write(f"{ETC}/{INSTANCE}.{secret}", f"{key}\n", mode="600")


def status(machine: Machine) -> dict[str, Any]:
    """What `status --json` says."""
    shown: dict[str, Any] = json.loads(machine.run("envision-worker", "status", "--json", "--config", CONFIG))
    return shown


def shown(machine: Machine, *properties: str, unit: str = SERVICE) -> dict[str, str]:
    """Properties of the unit, as systemd has them."""
    asked = [f"--property={each}" for each in properties]
    lines = machine.run("systemctl", "show", unit, *asked).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def journal(machine: Machine, *options: str, unit: str = SERVICE) -> list[dict[str, Any]]:
    """The unit's entries in the journal."""
    lines = machine.run("journalctl", "--unit", unit, "--output", "json", "--all", "--no-pager", *options).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
