from mien.settings import overlay


def test_an_overlay_changes_the_named_values_and_leaves_the_section_itself():
    section = {"model": {"depth": 16, "prompt": "phrase"}, "training": {"lr": 1e-4}}
    changed = overlay(section, {"model": {"prompt": "active"}})
    assert changed == {"model": {"depth": 16, "prompt": "active"}, "training": {"lr": 1e-4}}
    assert section["model"]["prompt"] == "phrase"
