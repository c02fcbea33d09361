"""The link from the picture of an estimator in a notebook to its page in the documentation."""

# Root of the published documentation, which has a folder for each version ("dev", "0.1", ...). None
# while it is not published: the pictures then have no link rather than one that leads nowhere.
DOCS_URL = None


def doc_link_module():
    """Return the package whose classes have a link."""
    # scikit-learn compares it with the package of the class; none is called "".
    return "skda" if DOCS_URL else ""


def doc_link_template():
    """Return the address of a class, with names in braces."""
    return f"{DOCS_URL}/{{version}}/api/generated/{{module}}.{{name}}.html"


def doc_link_names(cls):
    """Return what stands in the braces for a class."""
    import skda

    # Most classes are imported from skda itself, whatever subpackage they live in.
    module = "skda"
    if cls.__name__ not in skda._MODULE_OF:
        module = ".".join(cls.__module__.split(".")[:2])
    numbers = skda.__version__.split(".")
    version = "dev" if "dev" in skda.__version__ else ".".join(numbers[:2])
    return {"version": version, "module": module, "name": cls.__name__}
