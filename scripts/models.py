#!/usr/bin/env python3
"""The speech models that Loqa knows: list them, pull one, verify what is installed. `loqa models` does the same."""

import argparse
import sys
from pathlib import Path

import assets

ROOT = Path(__file__).resolve().parent.parent


def named(known: list[assets.Asset], names: list[str]) -> list[assets.Asset]:
    by_name = {asset.name: asset for asset in known}
    for name in names:
        if name not in by_name:
            raise assets.AssetError(f"there is no {name!r}", f"There are: {', '.join(by_name)}")
    return [by_name[name] for name in names]


def list_all(known: list[assets.Asset]) -> int:
    width = max(len(asset.name) for asset in known)
    for asset in known:
        state = "installed" if not asset.fault() else "default, missing" if asset.default else "on request"
        print(f"{asset.name:{width}}  {asset.kind:3}  {assets.megabytes(asset.size):>7}  {state:16}  {asset.about}")
    return 0


def pull(known: list[assets.Asset], names: list[str]) -> int:
    wanted = named(known, names) if names else [asset for asset in known if asset.default]
    for asset in wanted:
        if asset.fault():
            assets.install(asset)
        elif names:
            assets.say(f"{asset.name}: already there")
    return 0


def missing(known: list[assets.Asset], names: list[str]) -> int:
    """For scripts/setup.sh: the names of what it would pull, 1 if there are any."""
    wanted = named(known, names) if names else [asset for asset in known if asset.default]
    names = [asset.name for asset in wanted if asset.fault()]
    print(" ".join(names))
    return 1 if names else 0


def verify(known: list[assets.Asset], names: list[str]) -> int:
    chosen = named(known, names) if names else [asset for asset in known if asset.default or asset.place().exists()]
    faults = 0
    for asset in chosen:
        if fault := asset.fault(thorough=True):
            faults += 1
            mend = f"loqa models pull {asset.name}" if asset.kind else "scripts/setup.sh"
            print(f"{asset.name}: {fault}\n  Run: {mend}", file=sys.stderr)
        else:
            print(f"{asset.name}: good")
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, action="append", help="another list than the models'")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="all models, and which are installed")
    for name, words in (
        ("missing", "the names of those that are not installed; exit code 1 if any"),
        ("pull", "fetch and install"),
        ("verify", "read every file and compare its SHA-256"),
    ):
        commands.add_parser(name, help=words).add_argument("names", nargs="*", metavar="NAME", help="none: the default ones")
    arguments = parser.parse_args()
    try:
        manifests = arguments.manifest or [ROOT / "share/models.json"]
        known = [asset for manifest in manifests for asset in assets.load(manifest)]
        match arguments.command:
            case "list":
                return list_all(known)
            case "missing":
                return missing(known, arguments.names)
            case "pull":
                return pull(known, arguments.names)
            case _:
                return verify(known, arguments.names)
    except assets.AssetError as error:
        print(f"error: {error}" + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
