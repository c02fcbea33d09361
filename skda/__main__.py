"""What ``python -m skda`` does: print the versions, for reports of faults."""

import argparse

import skda


def main(arguments=None):
    """Print the version of skda, or all versions that a report of a fault needs."""
    parser = argparse.ArgumentParser(
        prog="skda",
        description="Print the versions, devices and settings that a report of a fault needs.",
    )
    parser.add_argument("--version", action="version", version=f"skda {skda.__version__}")
    parser.parse_args(arguments)
    skda.show_versions()


if __name__ == "__main__":
    main()
