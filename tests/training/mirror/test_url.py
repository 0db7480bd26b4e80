from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.corridor import ddqn
from training.mirror.url import checked_url, is_url, run_of_url
from training.settings import check


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("gs://bucket/a", "gs://bucket/a"),
        ("az://account/container", "az://account/container"),
        ("file:///nfs/runs", "file:///nfs/runs"),
    ],
)
def test_what_a_mirror_may_be(url: str, plain: str) -> None:
    assert is_url(url) and checked_url(url) == plain


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("ftp://bucket/a", "begins with one of s3://"),
        ("https://bucket.example.com/a", "begins with one of s3://"),
        ("runs", "begins with one of s3://"),
        ("s3:///a", "s3://BUCKET/PREFIX"),
        ("file://runs", "file:///ABSOLUTE/PATH"),
        ("s3://bucket/../other", "not a mirror's URL"),
        ("s3://bucket/a\nb", "URL"),
        ("s3://[bucket", "URL"),
    ],
)
def test_what_it_may_not_be(url: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=named):
        check(ddqn(tmp_path, mirror_to=url))


@pytest.mark.parametrize(
    "url",
    [
        "s3://me:opensesame@bucket/a",
        "s3://opensesame@bucket/a",
        "ftp://me:opensesame@host/a",
        "az://account/container?sig=opensesame",
    ],
)
def test_credentials_in_it_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="credentials come from the environment") as e:
        checked_url(url)
    assert "opensesame" not in str(e.value)


def test_the_url_of_a_run() -> None:
    assert run_of_url("s3://bucket/a/DDQN/race/") == ("s3://bucket/a", "DDQN", "race")
    assert run_of_url("file:///nfs/DDQN/race") == ("file:///nfs", "DDQN", "race")
    for url in ("s3://bucket/race", "s3://DDQN/race", "file:///race"):
        with pytest.raises(ValueError):
            run_of_url(url)
