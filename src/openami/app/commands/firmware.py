"""``openami firmware``: plan a campaign, approve it as a second person, watch it, pause, resume or abort it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from openami.app.commands.person import person_of, print_wide
from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.devices.firmware_desk import FirmwareDesk
    from openami.headend.session.rollout_ports import CampaignHead

app = typer.Typer(help="Bring firmware to meters, in waves and under two people's approval.", no_args_is_help=True)
MAX_FILE_OCTETS = 16 * 1024 * 1024 + 1
MAX_LIST_OCTETS = 4 * 1024 * 1024
"""Some 200,000 meters."""
LoginOption = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Your staff login; the password is asked.")]
CampaignArgument = Annotated[UUID, typer.Argument(metavar="CAMPAIGN", help="Id of the campaign.")]


@app.command()
def plan(
    image: Annotated[Path, typer.Argument(help="The image: content and the maker's signature.")],
    image_id: Annotated[str, typer.Option("--id", help="Identifier that a meter shows when it runs the image.")],
    login: LoginOption,
    maker_key: Annotated[
        Path | None, typer.Option(help="File with the maker's public key: 128 hexadecimal digits, X and Y on P-256.")
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Let the meters alone check the signature: it is of another kind.")
    ] = False,
    profile: Annotated[str, typer.Option(help="Meters of this profile.")] = "",
    cell: Annotated[str, typer.Option(help="Meters of this radio cell.")] = "",
    meters: Annotated[Path | None, typer.Option(help="Meters of this file: a system title (hex) a line.")] = None,
    waves: Annotated[str, typer.Option(help="Sizes of the waves: meters, shares as 10%, and the rest.")] = (
        "1,1%,10%,rest"
    ),
    abort_at: Annotated[str, typer.Option(help="Share of a wave of which more failures abort.")] = "5%",
    watch_hours: Annotated[float, typer.Option(help="Hours between waves.", min=0, max=24 * 30)] = 24.0,
    window_days: Annotated[float, typer.Option(help="Days from now in which it may go.", min=0.001, max=365)] = 30.0,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Plan a campaign. It begins once another person has approved it."""
    from openami.app.devices.firmware_desk import Choice, Wish, check_image
    from openami.app.settings import real_now
    from openami.kernel.time import Period

    octets, name = _octets_of(image, MAX_FILE_OCTETS), _image_id(image_id)
    if maker_key is None and not unverified:
        raise MisuseError("give the maker's public key with --maker-key, or say --unverified")
    if maker_key is not None:
        check_image(name, octets, _maker_key(maker_key))
    if not (profile or cell or meters):
        raise MisuseError("say which meters: --profile, --cell or --meters")
    now = real_now()
    wish = Wish(
        name,
        octets,
        Choice(profile, cell, _titles(meters) if meters else None),
        waves,
        _share(abort_at),
        watch_hours * 3600,
        Period(now, now + timedelta(days=window_days)),
    )
    note = "signature not checked here" if maker_key is None else "signed by its maker"
    campaign_id = asyncio.run(_desk(home).plan(person_of(login), wish, note=note))
    _say(
        {"campaign": str(campaign_id), "waits_for": "approval by a second person"},
        f"Campaign {campaign_id} is planned. Another person lets it begin: openami firmware approve {campaign_id}",
        json_output=json_output,
    )


@app.command()
def sign(
    content: Annotated[Path, typer.Argument(help="The firmware, without a signature.")],
    image_id: Annotated[str, typer.Option("--id", help="OAM240-MM.mm.pp, newer than what the meters run.")],
    out: Annotated[Path, typer.Option(help="File for the signed image; the maker's key goes beside it.")],
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Sign an image as the maker of the demonstration's meters, to try a campaign on them."""
    from openami.security.suites.curve import public_key_of
    from openami.sim.maker import Maker

    place = home / "territory" / "maker.key"
    if not place.is_file():
        raise MisuseError(f"{home} holds no simulated territory, whose maker alone signs here")
    maker = Maker(_octets_of(place, 1_000))
    key_file = out.with_name(out.name + ".maker.pub")
    try:
        out.write_bytes(maker.signed_image(_image_id(image_id), _octets_of(content, MAX_FILE_OCTETS)))
        key_file.write_text(public_key_of(maker.signing_key).hex() + "\n")
    except OSError as error:
        raise MisuseError(f"{out} cannot be written: {error.strerror or type(error).__name__}") from error
    words = f"Signed image in {out}; the maker's public key is in {key_file}."
    _say({"image": str(out), "maker_key": str(key_file)}, words, json_output=json_output)


@app.command()
def approve(
    campaign: CampaignArgument,
    login: LoginOption,
    image: Annotated[Path | None, typer.Option(help="Your own copy of the image, to be compared.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Approve a campaign that somebody else has planned: this image, these meters, this window."""
    octets = _octets_of(image, MAX_FILE_OCTETS) if image is not None else None
    subject = asyncio.run(_desk(home).approve(person_of(login), campaign, image=octets))
    _say(
        {
            "campaign": str(campaign),
            "image": subject.image_id.decode("ascii", "replace"),
            "image_sha256": subject.image_digest.hex(),
            "meters_sha256": subject.meters_digest.hex(),
            "from": subject.window.start.isoformat(),
            "to": subject.window.end.isoformat(),
        },
        f"Approved until {subject.window.end.isoformat()}: image {subject.image_digest.hex()}.",
        json_output=json_output,
    )


@app.command()
def pause(
    campaign: CampaignArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Begin no more sessions; those under way end."""
    _change(home, campaign, login, "paused", json_output=json_output)


@app.command()
def resume(
    campaign: CampaignArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """Go on with a paused campaign."""
    _change(home, campaign, login, "running", json_output=json_output)


@app.command()
def abort(
    campaign: CampaignArgument, login: LoginOption, home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False
) -> None:
    """End a campaign for good and withdraw its approvals. Meters keep what they have verified and do not run it."""
    _change(home, campaign, login, "aborted", json_output=json_output)


@app.command()
def status(
    campaign: Annotated[UUID | None, typer.Argument(help="Id of a campaign; without it all of them.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Show campaigns, or one with its waves and the meters that failed."""
    desk = _desk(home)
    if campaign is None:
        heads = [_head_document(head) for head in asyncio.run(desk.heads())]
        if json_output:
            print(json.dumps(heads))
        else:
            _show_heads(heads)
        return
    head, meters, people = asyncio.run(desk.one(campaign))
    waves: dict[int, Counter[str]] = {}
    for one in meters:
        waves.setdefault(one.meter.wave, Counter())[one.meter.step.value] += 1
    document = {
        **_head_document(head),
        "approved_by": people,
        "waves": [{"wave": wave + 1, **counts} for wave, counts in sorted(waves.items())],
        "failed": [
            {"system_title": str(one.title), "why": one.meter.words}
            for one in meters
            if one.meter.step.value == "failed"
        ],
    }
    if json_output:
        print(json.dumps(document))
    else:
        _show_one(document)


def _change(home: Path, campaign: UUID, login: str, state: str, *, json_output: bool) -> None:
    from openami.headend.keeping.campaign import CampaignState

    asyncio.run(_desk(home).change(person_of(login), campaign, CampaignState(state)))
    _say({"campaign": str(campaign), "state": state}, f"Campaign {campaign} is {state}.", json_output=json_output)


def _head_document(head: CampaignHead) -> dict[str, Any]:
    return {
        "campaign": str(head.plan.campaign_id),
        "image": head.image_id.decode("ascii", "replace"),
        "image_sha256": head.image_digest.hex(),
        "state": head.state.value,
        "words": head.words,
        "meters": sum(s.meters for s in head.standings),
        "confirmed": sum(s.ended - s.failed for s in head.standings),
        "failed_meters": sum(s.failed for s in head.standings),
        "from": head.window.start.isoformat(),
        "to": head.window.end.isoformat(),
    }


def _show_heads(heads: list[dict[str, Any]]) -> None:
    table = Table(box=SIMPLE)
    for column in ("campaign", "image", "state", "done", "failed", "how it stands"):
        table.add_column(column, no_wrap=column != "how it stands")
    for one in heads:
        done = f"{one['confirmed']} of {one['meters']}"
        table.add_row(one["campaign"], one["image"], one["state"], done, str(one["failed_meters"]), one["words"])
    print_wide(table, columns=120)


def _show_one(document: dict[str, Any]) -> None:
    console = Console(markup=False)
    done, words = document["confirmed"], document["words"]
    console.print(f"Campaign {document['campaign']}: {document['state']}{', ' + words if words else ''}")
    console.print(f"Image {document['image']}, SHA-256 {document['image_sha256']}")
    console.print(f"{done} of {document['meters']} meters run it; approved by {document['approved_by']} of 2 people")
    steps = ("waiting", "transferring", "verified", "activated", "confirmed", "failed")
    table = Table("wave", *steps)
    for wave in document["waves"]:
        table.add_row(str(wave["wave"]), *(str(wave.get(step, 0)) for step in steps))
    console.print(table)
    for one in document["failed"][:20]:
        console.print(f"  {one['system_title']}: {one['why']}")


def _desk(home: Path) -> FirmwareDesk:
    from openami.app.devices.firmware_desk import FirmwareDesk
    from openami.app.settings import Settings

    return FirmwareDesk(Settings.load(home))


def _say(document: dict[str, Any], words: str, *, json_output: bool) -> None:
    print(json.dumps(document) if json_output else words)


def _octets_of(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as source:
            octets = source.read(most)
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from error
    if len(octets) == most:
        raise MisuseError(f"{file} has more than {most - 1} octets")
    return octets


def _image_id(text: str) -> bytes:
    if not (text.isascii() and text.isprintable() and 1 <= len(text) <= 64):
        raise MisuseError("an image identifier has 1 to 64 printable ASCII characters")
    return text.encode("ascii")


def _maker_key(file: Path) -> bytes:
    try:
        return bytes.fromhex(_octets_of(file, 1_000).decode("ascii"))
    except ValueError as error:
        raise MisuseError(f"{file} holds no public key: 128 hexadecimal digits") from error


def _titles(file: Path) -> frozenset[Any]:
    from openami.kernel.ids import BadSystemTitleError, SystemTitle

    found = set()
    for number, line in enumerate(_octets_of(file, MAX_LIST_OCTETS).decode("ascii", "replace").split(), start=1):
        try:
            found.add(SystemTitle(bytes.fromhex(line)))
        except (ValueError, BadSystemTitleError) as error:
            raise MisuseError(f"{file}, entry {number}: no system title of 16 hexadecimal digits") from error
    return frozenset(found)


def _share(text: str) -> float:
    number = text.removesuffix("%")
    if not number.isdecimal() or not 0 <= int(number) <= 100:
        raise MisuseError(f"{text!r} is no share such as 5%")
    return int(number) / 100
