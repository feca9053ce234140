"""The gate of `transmission`: everything was sent in every way, and more bits bring more."""

from dataclasses import dataclass

import polars as pl

from semtok.checks.rules import Rule, Suite, at_least, beside, count, none, there
from semtok.checks.subject import Subject
from semtok.tables import read_table
from semtok.tokens.shards import TokenShards

_KEY = ["choice", "rate", "snr"]


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    psnr_gain: float = 0.0  # dB, of each link from its fewest bits to its most, at least


_OF_A_ROW = (
    Rule(
        "values_not_finite",
        "errors, similarities and bits are numbers",
        ~pl.all_horizontal(pl.col("bits", "mse", "psnr", "ssim", "fitting").is_finite()),
    ),
    Rule(
        "accuracies_out_of_range",
        "the classifier, where there is one, is right of 0 to 100 % of the images",
        ~pl.col("accuracy").is_between(0, 100).fill_null(True),
    ),
    Rule("duplicate_rows", "every way of sending occurs once", pl.struct(_KEY).is_duplicated()),
    Rule("missing_images", "every image of test was sent", pl.col("images") != pl.col("all")),
)
_OF_A_WANTED_ROW = (
    Rule(
        "missing_rows",
        "every choice, and JPEG, was sent at every rate and signal-to-noise ratio",
        ~pl.col("there"),
    ),
)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of the table, and what each link gains from its fewest bits to its most."""
    from semtok.bench import transmission  # torch, which settings alone do not need
    from semtok.models.transmission import CHOICES

    rates, snrs = transmission.RATES, transmission.SNRS
    table = read_table(subject.artifact / transmission.NAME, transmission.RATE_DISTORTION)
    found = pl.DataFrame(table)
    images = len(TokenShards(subject.input("token_shards", "test")))
    asked = [
        (choice, rate, snr)
        for choice in (*CHOICES, transmission.JPEG)
        for rate in rates
        for snr in snrs
    ]
    wanted = pl.DataFrame(asked, schema=_KEY, orient="row")
    most, least = (
        found.filter(rate=end(rates), snr=end(snrs)).select("choice", "psnr") for end in (max, min)
    )
    # A JPEG of few bits may be none at all, and what is shown instead a good guess.
    links = most.join(least, on="choice", suffix="_least").filter(pl.col("choice").is_in(CHOICES))
    return {
        "rows": beside(
            count(found.with_columns(all=pl.lit(images)), _OF_A_ROW, _KEY),
            count(there(wanted, found), _OF_A_WANTED_ROW, _KEY),
        ),
        "links": links.select("choice", psnr_gain=pl.col("psnr") - pl.col("psnr_least")),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "rows": none(*_OF_A_ROW, *_OF_A_WANTED_ROW),
        "links": [at_least("psnr_gain", settings.psnr_gain, "more bits bring better pictures")],
    }
