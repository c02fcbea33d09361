"""The tools of this folder: ``python -m benchmarks TOOL …``."""

import importlib
import sys

TOOLS = (
    "accuracy",
    "backbones",
    "conformal",
    "consensus",
    "defaults",
    "device",
    "diagnose",
    "episodes",
    "few_shot",
    "guarded",
    "later_sites",
    "model_based",
    "multi_task",
    "nets",
    "nets_choice",
    "performance",
    "report",
    "scale",
    "selection",
    "speed",
)


def main():
    """Hand the arguments to the tool that is named first."""
    if len(sys.argv) < 2 or sys.argv[1] not in TOOLS:
        sys.exit(f"usage: python -m benchmarks {{{','.join(TOOLS)}}} [options]")
    tool = importlib.import_module(f"benchmarks.{sys.argv[1]}")
    tool.main(sys.argv[2:])


if __name__ == "__main__":
    main()
