from pathlib import Path

import pytest
from ensono_world import names_in, put

from envision_worker.ensono.spool import PartFile, Spool, SpoolFull, is_there, remove, size_of, spool_size


def test_a_spool_that_does_not_exist_is_empty(spool: Path) -> None:
    assert spool_size(spool) == 0


def test_the_size_is_the_sum_of_the_files(spool: Path) -> None:
    spool.mkdir(parents=True)
    (spool / "aa").write_bytes(b"12345")
    (spool / "bb.part").write_bytes(b"123")
    (spool / "folder").mkdir()
    (spool / "link").symlink_to("/bin/sh")
    assert spool_size(spool) == 8
    assert spool_size(spool, without={"aa"}) == 3


def test_a_file_that_has_gone_is_told_as_no_room_for_it(spool: Path) -> None:
    put(spool / "aa", b"12345")
    assert is_there(spool / "aa")
    assert size_of(spool / "aa") == 5
    remove(spool / "aa")
    assert not is_there(spool / "aa")
    with pytest.raises(SpoolFull, match="aa: No such file"):
        size_of(spool / "aa")
    remove(spool / "aa")


async def test_a_file_appears_only_when_it_is_kept(spool: Path) -> None:
    keeper = Spool(spool, 100)
    with keeper.part(spool / "aa", expected_size=5) as part:
        part.write(b"123")
        part.write(b"45")
        assert names_in(spool) == ["aa.part"]
        await part.keep()
    assert names_in(spool) == ["aa"]
    assert (spool / "aa").read_bytes() == b"12345"
    assert part.size == 5


def test_a_file_of_ours_is_nobody_elses_business(spool: Path) -> None:
    with Spool(spool, 100).part(spool / "aa", expected_size=None):
        assert (spool / "aa.part").stat().st_mode & 0o077 == 0
        assert spool.stat().st_mode & 0o077 == 0


def test_a_file_that_is_not_kept_leaves_nothing_and_what_was_there_stays(spool: Path) -> None:
    put(spool / "aa", b"old")
    put(spool / "aa.part", b"left by a crash")
    with Spool(spool, 100_000_000).part(spool / "aa", expected_size=None) as part:
        part.write(b"new")
    assert names_in(spool) == ["aa"]
    assert (spool / "aa").read_bytes() == b"old"


def fails_to_begin(keeper: Spool, target: Path, size: int) -> None:
    with pytest.raises(SpoolFull), keeper.part(target, expected_size=size):
        raise AssertionError("there was room")


def test_a_file_that_would_not_fit_is_not_begun(spool: Path) -> None:
    put(spool / "aa", b"x" * 60)
    fails_to_begin(Spool(spool, 100), spool / "bb", 41)
    assert names_in(spool) == ["aa"]
    with Spool(spool, 100).part(spool / "bb", expected_size=40) as part:
        part.write(b"x" * 40)


def test_files_that_are_written_side_by_side_stay_below_the_limit_together(spool: Path) -> None:
    keeper = Spool(spool, 100_000)
    with keeper.part(spool / "aa", expected_size=60_000) as part:
        fails_to_begin(keeper, spool / "bb", 40_001)
        part.write(b"x" * 60_000)
        assert spool_size(spool) == 60_000
        fails_to_begin(keeper, spool / "bb", 40_001)
        with keeper.part(spool / "bb", expected_size=40_000):
            fails_to_begin(keeper, spool / "cc", 1)
    with keeper.part(spool / "bb", expected_size=100_000):
        assert spool_size(spool) == 0


def test_a_file_of_unknown_size_is_stopped_when_the_spool_is_full(spool: Path) -> None:
    with Spool(spool, 2_000_000).part(spool / "aa", expected_size=None) as part:
        part.write(b"x" * 900_000)
        with pytest.raises(SpoolFull):
            part.write(b"x" * 1_200_000)
    assert names_in(spool) == []


def test_a_spool_that_can_not_be_written_to_is_full_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    fails_to_begin(Spool(tmp_path / "file" / "spool", 100), tmp_path / "file" / "spool" / "aa", 1)
    (tmp_path / "aa.part").mkdir()
    fails_to_begin(Spool(tmp_path, 100), tmp_path / "aa", 1)


async def test_a_file_that_has_just_got_its_name_counts_once(spool: Path) -> None:
    keeper = Spool(spool, 100_000)
    with keeper.part(spool / "aa", expected_size=60_000) as part:
        part.write(b"x" * 60_000)
        await part.keep()
        with keeper.part(spool / "bb", expected_size=40_000):
            assert names_in(spool) == ["aa", "bb.part"]


async def test_a_target_that_can_not_be_replaced_is_full_by_name(tmp_path: Path) -> None:
    (tmp_path / "aa").mkdir()
    with Spool(tmp_path, 100).part(tmp_path / "aa", expected_size=1) as part:
        part.write(b"x")
        with pytest.raises(SpoolFull, match="aa"):
            await part.keep()
    assert names_in(tmp_path) == ["aa"]


def test_a_full_disk_is_full_by_name(spool: Path) -> None:
    put(spool / "aa", b"")
    with Path("/dev/full").open("wb", buffering=0) as full:
        part = PartFile(Spool(spool, 10**9), spool / "aa.part", spool / "aa", full, held=1)
        with pytest.raises(SpoolFull, match="No space left"):
            part.write(b"x")
