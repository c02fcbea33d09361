"""The link of an estimator's HTML representation to its page in the documentation."""

from skda import CORALTransformer
from skda._core import _doc_link
from skda.model_selection import GuardedSearchCV


def test_no_link_while_the_documentation_is_not_published(monkeypatch):
    monkeypatch.setattr(_doc_link, "DOCS_URL", None)
    coral = CORALTransformer()
    assert coral._get_doc_link() == ""
    assert "api/generated" not in coral._repr_html_()


def test_the_link_leads_to_the_page_of_the_class_and_version(monkeypatch):
    monkeypatch.setattr(_doc_link, "DOCS_URL", "https://docs.local")
    monkeypatch.setattr("skda.__version__", "1.2.3")
    page = "https://docs.local/1.2/api/generated/skda.CORALTransformer.html"
    assert CORALTransformer()._get_doc_link() == page
    assert page in CORALTransformer()._repr_html_()
    monkeypatch.setattr("skda.__version__", "1.3.0.dev0")
    search = GuardedSearchCV({"coral": CORALTransformer()})
    page = "https://docs.local/dev/api/generated/skda.model_selection.GuardedSearchCV.html"
    assert search._get_doc_link() == page


def test_a_class_of_the_user_gets_no_link(monkeypatch):
    monkeypatch.setattr(_doc_link, "DOCS_URL", "https://docs.local")

    class OwnTransformer(CORALTransformer):
        pass

    assert OwnTransformer()._get_doc_link() == ""
