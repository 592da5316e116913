"""`check`: every fault at once on stdout; with `--connect` those of the peers, without reading a message."""

import socket
from pathlib import Path

import pytest

from cli.command_line import configuration
from envision_worker.simulators.faults import Fault, FaultKind
from envision_worker.simulators.manageengine.tickets import Approval, Level
from process.real_worker import Plant, Ran, run


async def connected(plant: Plant) -> Ran:
    """`check --connect`, while the simulators answer."""
    return await plant.command("check", "--connect")


def faults(ran: Ran) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in ran.out.splitlines())


def test_every_fault_is_on_stdout_one_line_each(tmp_path: Path) -> None:
    config = configuration(
        tmp_path,
        queue={"poll_interval_s": -1, "polling": 3},
        desk={"edition": "cloudy"},
        mapping={"change_state": {"X": {}}},
    )

    ran = run("check", "--config", config)

    assert ran.code == 78
    assert ran.err == ""
    assert {"queue.poll_interval_s", "queue.polling", "desk.edition"} <= faults(ran).keys()
    assert all(problem for problem in faults(ran).values())


def test_a_file_that_is_missing_or_no_toml_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[ensono\nbase_url = 1")
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)))
    for name in ("missing.toml", "broken.toml", "binary.toml", "."):
        ran = run("check", "--config", tmp_path / name)
        assert ran.code == 78, name
        assert len(ran.out.splitlines()) == 1
        assert ran.err == ""


def test_a_good_file_has_no_faults_and_its_oddities_are_warnings(tmp_path: Path) -> None:
    ran = run("check", "--config", configuration(tmp_path, queue={"poll_interval_s": 0.5}))

    assert ran.code == 0
    assert "no faults" in ran.out
    assert "warning: queue.poll_interval_s" in ran.err


async def test_all_is_well_and_no_message_was_read(plant: Plant) -> None:
    plant.ensono.scenario.incident_create()
    plant.configure()

    ran = await connected(plant)

    assert (ran.code, len(ran.out.splitlines())) == (0, 4)
    assert "desk: approvals: none of the 10 newest changes has a level" in ran.out
    assert "client_name is not proven" in ran.out
    assert plant.reads() == 0
    assert plant.desk.journal == []
    assert not plant.ledger.exists()


async def test_names_that_the_desk_lacks_are_faults_with_their_keys(plant: Plant) -> None:
    plant.configure(
        desk={"ensono_number_field": "udf_sline_999"},
        mapping={
            "status": {"open": "Offen"},
            "closure_code": {"Successful": "Wonderful"},
            "change_state": {"Assess": {"stage": "CAB Evaluation", "status": "Dreaming"}},
        },
        approvals={"approvers": {"noreply@client.com": ["nobody@example.com"]}},
    )

    ran = await connected(plant)

    assert ran.code == 78
    assert faults(ran).keys() == {
        "desk.ensono_number_field", "mapping.status.open", "mapping.closure_code.successful", "mapping.change_state.assess",
        'approvals.approvers."noreply@client.com"',
    }  # fmt: skip
    assert "Offen" in faults(ran)["mapping.status.open"]
    assert "client_name is not proven" in ran.err


async def test_what_a_level_of_approval_on_the_desk_shows_to_be_otherwise_is_a_fault_with_its_key(plant: Plant) -> None:
    plant.configure(desk={"flavour": {"approval_stage_key": "change_stage"}})
    plant.desk.people.open_change("Patch day")
    (change,) = plant.changes()
    asked = [Approval(plant.desk.world.ids.new("approvals"), "1", 0, "Pending Approval", mails=[0])]
    level = Level(
        plant.desk.world.ids.new("approval_levels"),
        1,
        "ours",
        change.fields["stage"],
        "percent",
        1,
        0,
        "1",
        approvals=asked,
    )
    change.levels.append(level)

    ran = await connected(plant)

    assert ran.code == 78
    assert faults(ran) == {"desk.flavour.approval_stage_key": "levels have 'stage' here, not 'change_stage'"}
    assert "desk: approvals: the first Approval Request shows" in ran.err


@pytest.mark.parametrize(("peer", "file"), [("ensono", "ensono-api-key"), ("desk", "sdp-authtoken")])
async def test_a_refused_key_ends_with_69_and_says_whose(plant: Plant, peer: str, file: str) -> None:
    plant.configure()
    (plant.folder / file).write_text("a-wrong-key")

    ran = await connected(plant)

    assert ran.code == 69
    assert faults(ran).keys() == {peer}
    assert faults(ran)[peer].startswith("does not take the key")
    assert "a-wrong-key" not in ran.out + ran.err


async def test_peers_that_cannot_be_reached_end_with_69_both_named(plant: Plant) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        plant.configure(ensono={"base_url": f"{nobody}/testclient57"}, desk={"base_url": nobody})

        ran = await connected(plant)

    assert ran.code == 69
    assert faults(ran).keys() == {"ensono", "desk"}
    assert all(problem.startswith("can't be reached") for problem in faults(ran).values())


async def test_an_answer_that_is_none_ends_with_69(plant: Plant) -> None:
    plant.desk.faults.add(Fault(FaultKind.HTML, times=None))
    plant.configure()

    ran = await connected(plant)

    assert ran.code == 69
    assert faults(ran).keys() == {"desk"}


async def test_a_state_store_that_cannot_be_used_ends_with_69(plant: Plant) -> None:
    plant.configure(state={"url": "sqlite:////proc/envision-worker/ledger.db"})
    assert faults(await connected(plant)).keys() == {"state.url"}
    plant.configure()
    plant.ledger.parent.mkdir()
    plant.ledger.write_text("no database" * 999)

    ran = await connected(plant)

    assert ran.code == 69
    assert "not a database" in faults(ran)["state.url"]


async def test_it_can_be_asked_while_the_daemon_works(plant: Plant) -> None:
    program = await plant.run()

    ran = await connected(plant)

    assert ran.code == 0
    assert program.process.returncode is None
