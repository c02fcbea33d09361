"""The link from the picture of an estimator in a notebook to its page in the documentation."""

# Root of the published documentation, which has a folder for each version ("dev", "0.1", ...). None
# while it is not published: the pictures then have no link rather than one that leads nowhere.
DOCS_URL = None


class DocLinkMixin:
    """Set what scikit-learn's HTML representation builds the link from."""

    @property
    def _doc_link_module(self):
        # scikit-learn compares it with the package of the class; none is called "".
        return "skda" if DOCS_URL else ""

    @property
    def _doc_link_template(self):
        return f"{DOCS_URL}/{{version}}/api/generated/{{module}}.{{name}}.html"

    def _doc_link_url_param_generator(self):
        import skda

        name = type(self).__name__
        # Most classes are imported from skda itself, whatever subpackage they live in.
        module = "skda"
        if name not in skda._MODULE_OF:
            module = ".".join(type(self).__module__.split(".")[:2])
        numbers = skda.__version__.split(".")
        version = "dev" if "dev" in skda.__version__ else ".".join(numbers[:2])
        return {"version": version, "module": module, "name": name}
