"""Not a test: writes the cost tables into the README (update_docs.sh runs it)."""

from tfkit import cost, terraform


def test_renew_the_cost_tables(tree):
    bills = {size: cost.bill(size, tree.plan(size)) for size in terraform.SIZES}
    cost.README.write_text(cost.in_readme(bills))
