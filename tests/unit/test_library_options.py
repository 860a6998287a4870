"""Libraries that others are not to find."""

from __future__ import annotations

import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from tasks_app.library_options import absent
from trackerproject.file_storage import file_storage


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library that nobody has loaded."""
    (tmp_path / "library_of_this_test.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("library_of_this_test", None)


def load() -> int:
    import library_of_this_test

    return library_of_this_test.answer


def test_a_library_is_not_found_in_the_block_and_found_after_it(library):
    with absent("library_of_this_test"), pytest.raises(ModuleNotFoundError):
        load()
    assert load() == 42


def test_it_is_found_after_an_error_in_the_block(library):
    with pytest.raises(ZeroDivisionError), absent("library_of_this_test"):
        _ = 1 / 0
    assert load() == 42


def test_one_that_is_loaded_already_stays(library):
    load()
    with absent("library_of_this_test"):
        assert load() == 42
    assert load() == 42


@pytest.mark.parametrize("package", ["storages", "botocore.config"])
def test_a_bucket_without_its_packages_says_where_they_are(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImproperlyConfigured, match=r"S3_BUCKET wants the packages of requirements-s3\.txt"):
        file_storage(bucket="fleet", endpoint_url="", region="", prefix="")
    assert file_storage(bucket="", endpoint_url="", region="", prefix="")["BACKEND"].endswith("FileSystemStorage")
