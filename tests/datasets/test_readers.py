"""Files of the census and of hospitals are read as their papers say."""

import numpy as np
import pytest

from skda.datasets import read_acs, read_diabetes_readmission

pd = pytest.importorskip("pandas")

# Who passes the filter of a task, column by column; PINCP is the income.
PERSONS = pd.DataFrame(
    {
        "SERIALNO": ["a", "b", "c", "d", "e", "f"],
        "AGEP": [40, 30, 16, 50, 25, 70],
        "PINCP": [60000, 20000, 60000, 50, 50000, 10000],
        "WKHP": [40, 20, 40, 40, None, 10],
        "PWGTP": [10, 20, 30, 40, 50, 0],
        "ESR": [1, 1, 6, 1, 6, 1],
        "COW": [1, 2, 1, None, 1, 1],
        "JWMNP": [30, 10, None, 21, None, 5],
        "PUBCOV": [2, 1, 1, 2, 1, 1],
        "MIG": [1, 3, 1, 1, 1, 1],
        "ST": [6] * 6,
    }
)
CODES = (
    *("SCHL", "MAR", "OCCP", "POBP", "RELP", "SEX", "RAC1P", "DIS", "ESP", "CIT", "MIL", "ANC"),
    *("NATIVITY", "DEAR", "DEYE", "DREM", "FER", "GCL", "PUMA", "JWTR", "POWPUMA", "POVPIP"),
)


def persons(**changes):
    """Return a small file of persons as a frame."""
    codes = {name: np.arange(1, 7) for name in CODES}
    return PERSONS.assign(**codes).assign(**changes)


@pytest.fixture
def folder(tmp_path):
    """A folder with the files of two states."""
    persons().to_csv(tmp_path / "psam_p06.csv", index=False)
    persons(ST=48, AGEP=[40, 30, 17, 50, 25, 70], SCHL=9).to_csv(
        tmp_path / "psam_p48.csv", index=False
    )
    return tmp_path


@pytest.mark.parametrize(
    ("task", "rows", "y", "n_features"),
    [
        ("income", [0, 1], [1, 0], 10),
        ("employment", [0, 1, 2, 3, 4, 5], [1, 1, 0, 1, 0, 1], 16),
        ("public_coverage", [1, 3], [1, 0], 19),
        ("mobility", [1, 4], [0, 1], 21),
        ("travel_time", [0, 1, 3], [1, 0, 1], 16),
    ],
)
def test_tasks_keep_the_rows_and_columns_of_the_paper(folder, task, rows, y, n_features):
    acs = read_acs(folder / "psam_p06.csv", task)
    assert acs.data.shape == (len(rows), n_features)
    np.testing.assert_array_equal(acs.target, y)
    for name in ("SCHL", "AGEP"):
        column = acs.data[:, acs.feature_names.index(name)]
        np.testing.assert_array_equal(column, persons()[name].iloc[rows])


def test_states_are_domains(folder):
    acs = read_acs(folder, target="TX", as_frame=True)
    assert acs.domain_names == {1: "CA", -2: "TX"}
    np.testing.assert_array_equal(acs.sample_domain, [1, 1, -2, -2, -2])
    assert acs.data["AGEP"].dtype == float
    assert list(acs.data["SCHL"].cat.categories) == [1, 2, 9], "the codes of both states"
    assert list(acs.frame.columns[-1:]) == ["PINCP"]
    X, y, sample_domain = read_acs([folder / "psam_p48.csv"], return_X_y=True)
    assert X.shape == (3, 10) and y.shape == (3,) and set(sample_domain) == {1}


def test_years_are_domains_under_names_of_ones_own_and_new_names_of_columns(folder):
    persons().rename(columns={"RELP": "RELSHIPP"}).to_csv(folder / "late.csv", index=False)
    files = {"CA 2014": folder / "psam_p06.csv", "later": [folder / "late.csv"] * 2}
    acs = read_acs(files, "employment", target="later")
    assert acs.domain_names == {1: "CA 2014", -2: "later"}
    assert (acs.sample_domain < 0).sum() == 2 * (acs.sample_domain > 0).sum()
    assert "RELP" in acs.feature_names


def test_files_that_cannot_be_named_or_lack_columns_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"got two of CA.*\"CA 2014\""):
        read_acs([folder / "psam_p06.csv"] * 2)
    with pytest.raises(ValueError, match=r"the number of a state; got a\.csv"):
        read_acs(tmp_path / "a.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="files has no psam_pXX"):
        read_acs(tmp_path / "empty")
    persons().drop(columns=["COW", "MAR"]).to_csv(folder / "psam_p06.csv", index=False)
    with pytest.raises(ValueError, match=r"lacks the columns \['COW', 'MAR'\]"):
        read_acs(folder / "psam_p06.csv")


STAYS = pd.DataFrame(
    {
        "encounter_id": [1, 2, 3, 4],
        "patient_nbr": [11, 12, 11, 13],
        "race": ["Caucasian", "?", "Asian", "Other"],
        "gender": ["Female", "Male", "Female", "Male"],
        "age": ["[0-10)", "[10-20)", "[90-100)", "[10-20)"],
        "payer_code": ["?", "MC", "MC", "?"],
        "medical_specialty": ["?", "Surgery", "?", "?"],
        "admission_type_id": [6, 1, 1, 1],
        "discharge_disposition_id": [25, 1, 1, 3],
        "admission_source_id": [1, 7, 17, 7],
        "max_glu_serum": ["None", ">200", "None", "Norm"],
        "readmitted": ["NO", "<30", ">30", "<30"],
    }
    | {
        f"{name}": [1, 18, 59, 3]
        for name in (
            *("time_in_hospital", "num_lab_procedures", "num_procedures", "num_medications"),
            *("number_outpatient", "number_emergency", "number_inpatient", "number_diagnoses"),
        )
    }
)


@pytest.fixture
def stays(tmp_path):
    """A file with stays of patients."""
    STAYS.to_csv(tmp_path / "diabetic_data.csv", index=False)
    return tmp_path / "diabetic_data.csv"


def test_stays_are_split_by_a_column_which_is_then_no_feature(stays):
    found = read_diabetes_readmission(stays, target="7")
    assert found.domain_names == {1: "1", 3: "17", -2: "7"}, "codes in the order of numbers"
    np.testing.assert_array_equal(found.sample_domain, [1, 3, -2, -2])
    np.testing.assert_array_equal(found.target, [0, 0, 1, 1])
    np.testing.assert_array_equal(found.groups, [11, 11, 12, 13])
    assert found.data.dtype == object and found.data.shape == (4, 16)
    assert not {"admission_source_id", "readmitted", "patient_nbr"} & set(found.feature_names)


def test_stays_keep_a_test_that_was_not_made_and_leave_out_rows_without_a_domain(stays):
    found = read_diabetes_readmission(stays, by="race", source=["Asian", "Other"], as_frame=True)
    assert list(found.data["max_glu_serum"]) == ["None", "Norm"]
    assert found.data["payer_code"].isna().tolist() == [False, True]
    assert found.data["num_medications"].dtype == float
    assert found.domain_names == {1: "Asian", 3: "Other"}
    assert len(read_diabetes_readmission(stays, by="race").target) == 3


def test_another_file_is_refused(tmp_path):
    STAYS.drop(columns="race").to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(ValueError, match=r"lacks the columns \['race'\].*diabetic_data.csv"):
        read_diabetes_readmission(tmp_path / "a.csv")
