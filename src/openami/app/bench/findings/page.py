"""The page ``docs/vee/error-rates.md``, written from what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files

from openami.app.bench.findings.field import PER_1000_A_MONTH
from openami.app.bench.findings.measure import NAMES, Measured
from openami.app.bench.findings.promises import PROMISE, broken, is_promised
from openami.app.bench.findings.recall import Cell
from openami.app.bench.findings.wilson import Share

_HEAD = """# Error rates of validation

This page is written by a command and not by hand. It says how often the rules are wrong about homes in which nothing
went wrong, and how many of the faults that were put in on purpose they find.

```
make homes NONCOMMERCIAL=1
make error-rates{asked}
```

Every home belongs to one of two halves, thrown once; thresholds were chosen with the one half, and all figures of real
homes below are of the other ({half}). Twice a look at that half led to a change: `stuck` asks for six equal values
in a row, and some of the rules' first numbers were seen. The table of faults, their severities and the dice were
written before any threshold was chosen. Rates have a 95 % Wilson interval. The German homes are likely under a
licence for non-commercial use: they are a measure on one's own machine, and no series of theirs is in this repository.

Rules and thresholds: `default_rules.toml`, SHA-256 {rules}...
"""


def page(found: Measured, *, asked: str = "") -> str:
    """Return the page as Markdown.

    Args:
        found: what was measured.
        asked: what was asked for beyond the default, for the command that the page names.
    """
    blocks = [
        _HEAD.format(
            half=found.half.value.replace("_", " "), rules=_rules(), asked=f" ARGS='{asked}'" if asked else ""
        ),
        "## False findings on clean homes\n",
        "\n".join(_false(found)) + "\n",
        "## Recall by kind and severity\n",
        _RECALL,
        "\n".join(_recall(found)) + "\n",
        "## Promised cells\n",
        "\n".join(_promises(found)) + "\n",
        "## Cells below 99 %\n",
        "\n".join(_misses(found)) + "\n",
        "## Honest happenings that look like faults\n",
        "\n".join(_honest(found)) + "\n",
        "## A simulated month\n",
        "\n".join(_month(found)) + "\n",
    ]
    return "\n".join(blocks)


_RECALL = """Each line puts one fault of a kind into each of a number of bills. *Register right* means that the register
did not see the fault, so that sums disagree; *counted* means that the register counted it along. Energy and money are
what one cycle would have billed wrongly, and the share of it in faults that were found.
"""


def _rules() -> str:
    """Return the first octets of the digest of the shipped rules, so that an old page can be told."""
    return sha256(files("openami.mdm.vee").joinpath("default_rules.toml").read_bytes()).hexdigest()[:12]


def _false(found: Measured) -> Iterator[str]:
    yield "| homes | home-days | with a finding | with a failure | bills with a finding | bills with a failure |"
    yield "|---|---|---|---|---|---|"
    for source, false in found.false.items():
        shares = (false.days, false.failed_days, false.bills, false.failed_bills)
        name = f"{NAMES[source]}: {found.homes[source]}"
        yield f"| {name} | {false.days.trials:,} | " + " | ".join(_share(s) for s in shares) + " |"
    rules: Counter[str] = Counter()
    for false in found.false.values():
        rules.update({rule: count for rule, count in false.by_rule if count})
    yield ""
    told = ", ".join(f"`{rule}` {count}" for rule, count in rules.most_common())
    yield f"Home-days by rule: {told or 'none'}."


def _recall(found: Measured) -> Iterator[str]:
    yield "| fault | severity | register | found | kWh | dollars | days to find | said by |"
    yield "|---|---|---|---|---|---|---|---|"
    for cell in found.cells:
        if cell.fault.is_fault:
            rules = ", ".join(f"`{rule}`" for rule, count in cell.by_rule[:3] if count * 20 >= cell.found.trials)
            wait = "-" if cell.days_to_find != cell.days_to_find else f"{cell.days_to_find:.0f}"
            parts = (_part(cell.kwh_found, cell.kwh), _part(cell.dollars_found, cell.dollars), wait, rules or "-")
            name = f"{_name(cell)} | {cell.severity:g} | {cell.way} | {_share(cell.found)}"
            yield f"| {name} | " + " | ".join(parts) + " |"
    yield ""
    shares = [c.kwh_found / c.kwh for c in found.cells if c.fault.is_fault and c.kwh >= 1]
    yield f"Each cell with energy at stake weighing alike, {sum(shares) / len(shares):.1%} of it lies in faults found."
    yield ""
    yield (
        "A third of the registers here show whole kWh and a third tens of Wh: an error below what a register resolves "
        "cannot be told from truncation, which is what most misses with the register right are."
    )
    named = {f"{c.fault.kind}: {c.fault.meaning}" for c in found.cells if c.fault.is_fault}
    yield ""
    yield "What a severity means: " + "; ".join(sorted(named)) + "."


def _promises(found: Measured) -> Iterator[str]:
    promised = [c for c in found.cells if is_promised(c.fault.kind, c.severity, c.way)]
    kept = len(promised) - len(broken(promised))
    hits, trials = sum(c.found.hits for c in promised), sum(c.found.trials for c in promised)
    yield f"At least {PROMISE:.0%} is promised of {len(promised)} cells: {kept} of them keep it here."
    yield f"Over all of them together: {_share(Share(hits, trials))}.\n"
    names: dict[str, list[str]] = {}
    for cell in promised:
        mark = "" if cell.found.value >= PROMISE else f" (broken: {cell.found.value:.1%})"
        names.setdefault(_name(cell), []).append(f"{cell.severity:g} {cell.way}{mark}")
    yield "; ".join(f"{name}: {', '.join(cells)}" for name, cells in names.items()) + "."


def _misses(found: Measured) -> Iterator[str]:
    poor = [c for c in found.cells if c.fault.is_fault and c.found.value < 0.99]
    if not poor:
        yield "None."
        return
    yield "| fault | severity | register | missed | of | kWh missed a bill |"
    yield "|---|---|---|---|---|---|"
    for cell in poor:
        missed = cell.found.trials - cell.found.hits
        kwh = (cell.kwh - cell.kwh_found) / max(missed, 1)
        yield f"| {_name(cell)} | {cell.severity:g} | {cell.way} | {missed} | {cell.found.trials} | {kwh:.1f} |"


def _honest(found: Measured) -> Iterator[str]:
    yield "| happening | severity | bills with a finding | said by |"
    yield "|---|---|---|---|"
    for cell in found.cells:
        if not cell.fault.is_fault:
            rules = ", ".join(f"`{rule}` {count}" for rule, count in cell.by_rule[:4])
            yield f"| {cell.fault.meaning} | {cell.severity:g} | {_share(cell.found)} | {rules or '-'} |"


def _month(found: Measured) -> Iterator[str]:
    m = found.month
    yield f"{m.bills:,} simulated bills at assumed field rates (the last table).\n"
    yield "| figure | value |"
    yield "|---|---|"
    yield f"| findings before disposition | {m.findings:,} |"
    yield f"| bills with a finding | {_share(Share(m.bills_with_finding, m.bills))} |"
    yield f"| items for a person, per 1,000 bills | {1000 * m.items / m.bills:.2f} |"
    yield f"| of these real | {m.real_items} of {m.items} |"
    yield f"| kWh at stake, in found faults | {m.kwh:,.0f}, {_part(m.kwh_found, m.kwh)} |"
    yield f"| dollars at stake, in found faults | {m.dollars:,.0f}, {_part(m.dollars_found, m.dollars)} |"
    false = ", ".join(f"`{rule}` {count}" for rule, count in m.false_items)
    yield f"| items that were not real, by rule | {false or 'none'} |"
    yield ""
    yield "| what happened | assumed per 1,000 a month | here | found |"
    yield "|---|---|---|---|"
    happened, found_of = dict(m.happened), dict(m.found)
    honest = {c.fault.kind for c in found.cells if not c.fault.is_fault}
    for kind, rate in PER_1000_A_MONTH.items():
        told = "(honest)" if kind in honest else str(found_of.get(kind, 0))
        yield f"| {kind.replace('_', ' ')} | {rate:g} | {happened.get(kind, 0)} | {told} |"


def _name(cell: Cell) -> str:
    return cell.fault.kind.replace("_", " ")


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.2%} ({low:.2%} to {high:.2%})"


def _part(part: float, whole: float) -> str:
    return "-" if whole < 0.5 else f"{part / whole:.1%}"
