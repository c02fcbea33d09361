"""MLflow keeps and serves models that adapt."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import CORALTransformer, make_domain_pipeline, stack_domains

# It takes seconds to import, and seconds to list what a model needs.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("routing"),
    pytest.mark.filterwarnings("ignore:::mlflow"),
    pytest.mark.filterwarnings("ignore:::sqlalchemy"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


@pytest.fixture(scope="module")
def mlflow():
    pytest.importorskip("mlflow")
    import mlflow.sklearn

    return mlflow


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    ys, yt = rng.integers(0, 2, 50), rng.integers(0, 2, 50)
    Xs, Xt = (rng.normal(size=(50, 2)) + 2.0 * y[:, None] for y in (ys, yt))
    return *stack_domains(Xs, ys, Xt * 0.5 + 3.0), Xt * 0.5 + 3.0


@pytest.fixture
def model(data, routing):
    X, y, d, _ = data
    pipeline = make_domain_pipeline(StandardScaler(), CORALTransformer(), LogisticRegression())
    return pipeline.fit(X, y, sample_domain=d)


# What a model needs is given here, since to infer it takes another 10 seconds.
NEEDS = {"pip_requirements": ["skda"]}


def test_a_pipeline_is_saved_and_served(mlflow, model, data, tmp_path):
    X, _, d, X_target = data
    path = tmp_path / "model"
    mlflow.sklearn.save_model(model, path, serialization_format="cloudpickle", **NEEDS)
    again = mlflow.sklearn.load_model(path)
    assert_allclose(again.predict_proba(X_target), model.predict_proba(X_target))
    # Domains can be given to it as before.
    assert_array_equal(again.predict(X, sample_domain=d), model.predict(X, sample_domain=d))
    # What is served takes rows only: those of the target.
    served = mlflow.pyfunc.load_model(path)
    assert_array_equal(served.predict(X_target), model.predict(X_target))


def test_a_pipeline_is_saved_by_skops(mlflow, model, data, tmp_path):
    io = pytest.importorskip("skops.io")
    X_target = data[-1]
    with pytest.raises(mlflow.MlflowException, match="CORALTransformer"):
        mlflow.sklearn.save_model(model, tmp_path / "a", serialization_format="skops", **NEEDS)
    trusted = io.get_untrusted_types(data=io.dumps(model))
    assert all(name.startswith("skda.") for name in trusted)
    path = tmp_path / "b"
    mlflow.sklearn.save_model(
        model, path, serialization_format="skops", skops_trusted_types=trusted, **NEEDS
    )
    again = mlflow.sklearn.load_model(path)
    assert_allclose(again.predict_proba(X_target), model.predict_proba(X_target))


def test_a_run_notes_the_parameters_and_the_model(mlflow, model, data, tmp_path):
    X_target = data[-1]
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    mlflow.create_experiment("adaptation", artifact_location=(tmp_path / "files").as_uri())
    mlflow.set_experiment("adaptation")
    with mlflow.start_run() as run:
        mlflow.log_param("strength", model[1].strength)
        info = mlflow.sklearn.log_model(
            model, name="model", serialization_format="cloudpickle", **NEEDS
        )
    assert mlflow.get_run(run.info.run_id).data.params == {"strength": "1.0"}
    again = mlflow.sklearn.load_model(info.model_uri)
    mlflow.set_tracking_uri(before)
    assert_array_equal(again.predict(X_target), model.predict(X_target))
