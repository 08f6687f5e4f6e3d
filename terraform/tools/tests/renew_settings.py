"""Not a test: writes the overlays' settings from the stand-in's outputs (update_docs.sh)."""

import settings

from tfkit import terraform


def test_renew_the_settings(tree):
    for size in terraform.SIZES:
        tree.plan(size)
        outputs = {k: v["value"] for k, v in tree.apply(size)["values"]["outputs"].items()}
        for name, text in settings.files(outputs).items():
            (settings.OVERLAYS / size / name).write_text(text)
