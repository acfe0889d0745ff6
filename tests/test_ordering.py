"""The contract's tests come first, each for itself; a test that was renamed would be noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.ordering import CONTRACT, FOLDERS, ContractFirst, rank

if TYPE_CHECKING:
    import pytest

TESTS = "tests/contract/test_domains.py"


def test_the_contract_of_every_domain_comes_first(request: pytest.FixtureRequest) -> None:
    root = request.config.rootpath
    file, _, test = CONTRACT.removesuffix("[").partition("::")
    assert f"\ndef {test}(" in (root / file).read_text()
    others = (f"tests/{folder}/test_x.py::test_x" for folder in FOLDERS)
    ranks = [rank(f"{CONTRACT}soc]"), rank("tests/test_layout.py::test_x"), *map(rank, others)]
    assert ranks == sorted(set(ranks))
    assert all((root / "tests" / folder).is_dir() for folder in FOLDERS)


def test_domains_are_shared_out_one_by_one_and_the_rest_by_file() -> None:
    scope = ContractFirst._split_scope
    schedule = object.__new__(ContractFirst)
    assert scope(schedule, f"{CONTRACT}soc]") == f"{CONTRACT}soc]"
    assert scope(schedule, f"{TESTS}::test_checks_are_not_forgotten") == TESTS
