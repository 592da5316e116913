"""What the documents print is tried: their blocks marked `sh`, in their order, on one machine. Those marked `shell` need the world outside."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from worlds.installed import ETC, keys, pointed_at_them, simulate
from worlds.machine import Machine

pytestmark = [pytest.mark.package, pytest.mark.timeout(1200)]  # the first one fetches a Debian

CONFIG = f"{ETC}/prod.toml"
HANDLED = f"envision-worker status --json --config {CONFIG} | tr -d '\n'"


def blocks(document: Path) -> Iterator[str]:
    text = document.read_text(encoding="utf-8")
    for indent, block in re.findall(r"^( *)```sh\n(.*?)^ *```$", text, flags=re.MULTILINE | re.DOTALL):
        yield re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)


def follow(machine: Machine, block: str) -> str:
    """Do what a block says, as a person would who knows the simulators' keys."""
    if "/dev/stdin" in block:
        [secret] = re.findall(r"/prod\.([\w-]+)$", block.strip())
        return machine.run("sh", "-euc", f"cd /root\n{block}", stdin=f"{keys(machine)[secret]}\n")
    if "history" in block:
        machine.until(HANDLED, r'"applied": ([6-9]|1\d)\b')
    said = machine.run("sh", "-euc", f"cd /root\n{block}")
    if "cp prod.toml.example" in block:
        machine.write(CONFIG, pointed_at_them(machine.run("cat", CONFIG)), mode="640", group="envision-worker")
    return said


@pytest.fixture
def beside_the_simulators(fresh: Machine) -> Machine:
    """A machine on which the package lies at hand, and both simulators run: of a program that goes before the first step."""
    fresh.shell("cp /mnt/envision-worker.deb /root/envision-worker_0_amd64.deb && dpkg -i /mnt/envision-worker.deb")
    simulate(fresh)
    return fresh


def test_the_way_through_the_installation_ends_where_it_began(beside_the_simulators: Machine, root: Path) -> None:
    machine = beside_the_simulators
    told: dict[str, str] = {}
    for block in blocks(root / "docs/install.md"):
        if "apt-get remove" in block:
            second_instance_works(machine)
        told[block] = follow(machine, block)
    said = "".join(told.values())
    [connected] = [answer for block, answer in told.items() if "check --connect" in block]
    assert "desk: answers" in connected, connected
    assert "no faults" in said
    assert "Active: active (running)" in said
    assert "e-CS0879727: request 1" in said
    assert re.search(r"ledger-[1-7]\.db", said)
    machine.shell(f"test ! -e {ETC} && test ! -e /var/lib/envision-worker && test ! -e /usr/bin/envision-worker")


def second_instance_works(machine: Machine) -> None:
    for secret, key in keys(machine).items():
        machine.write(f"{ETC}/dev.{secret}", f"{key}\n", mode="600")
    assert "no faults" in machine.run("envision-worker", "check", "--config", f"{ETC}/dev.toml")
    machine.run("systemctl", "start", "envision-worker@dev")
    machine.run("test", "-f", "/var/lib/envision-worker/dev/ledger.db")
    machine.run("systemctl", "stop", "envision-worker@dev")


def test_the_way_through_a_restore_ends_with_a_worker_that_reads(beside_the_simulators: Machine, root: Path) -> None:
    machine = beside_the_simulators
    example = machine.run("cat", f"{ETC}/prod.toml.example")
    machine.write(CONFIG, pointed_at_them(example), mode="640", group="envision-worker")
    for secret, key in keys(machine).items():
        machine.write(f"{ETC}/prod.{secret}", f"{key}\n", mode="600")
    machine.run("systemctl", "start", "envision-worker@prod")
    machine.until(HANDLED, r'"applied": ([6-9]|1\d)\b')
    said = "".join(follow(machine, block) for block in blocks(root / "docs/backup.md"))
    assert "ok\n" in said
    assert "paused" in said
    assert '"daemon": "running"' in machine.run("envision-worker", "status", "--json", "--config", CONFIG)
    assert re.search(r'"applied": ([6-9]|1\d)\b', machine.shell(HANDLED))
