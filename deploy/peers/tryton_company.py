"""Give a fresh Tryton database what nobody can sell without: a company, accounts, a year, goods, somebody who buys.

    python tryton_company.py TRYTOND_CONF DATABASE

Runs in Tryton's own environment. Prices are in CNY without tax: a vase is 12.50, a lid 10.00. A sale of three vases and
two lids stays a draft, to be copied.
"""

import sys
from decimal import Decimal

from proteus import Model, config
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, get_accounts
from trytond.modules.account_invoice.tests.tools import create_payment_term, set_fiscalyear_invoice_sequences
from trytond.modules.company.tests.tools import create_company, get_company


def main(settings, database):
    """Fill the database; proteus raises what Tryton refuses."""
    config.set_trytond(database=f"sqlite:///{database}", config_file=settings)
    create_company(currency="CNY")
    create_chart()
    set_fiscalyear_invoice_sequences(create_fiscalyear()).click("create_period")
    employ("Seller")
    party = new("party.party", name="Customer")
    origin = Model.get("ir.model").find([("name", "=", "sale.sale")])[0]
    new("sale.complaint.type", name="Broken", origin=origin)
    direct = create_payment_term()
    direct.save()
    cash = get_accounts()["cash"]
    journal = Model.get("account.journal").find([("type", "=", "cash")])[0]
    new("account.invoice.payment.method", name="Cash", journal=journal, credit_account=cash, debit_account=cash)
    goods = [(article("Vase", "12.50"), 3), (article("Lid", "10.00"), 2)]
    sale = Model.get("sale.sale")()
    sale.party, sale.payment_term, sale.invoice_method = party, direct, "order"
    for product, quantity in goods:
        line = sale.lines.new()
        line.product, line.quantity = product, quantity
    sale.save()


def new(model, **values):
    """A saved record."""
    record = Model.get(model)(**values)
    record.save()
    return record


def employ(name):
    """An employee, as whom the administrator works."""
    employee = new("company.employee", party=new("party.party", name=name))
    user = Model.get("res.user")(config.get_config().user)
    user.employees.append(employee)
    user.employee = employee
    user.company = get_company()
    user.save()
    config.get_config()._context = Model.get("res.user").get_preferences(True, {})  # noqa: SLF001  (as Tryton's own tools do)


def article(name, price):
    """Goods that are sold by piece."""
    accounts = get_accounts()
    category = new(
        "product.category",
        name=name,
        accounting=True,
        account_expense=accounts["expense"],
        account_revenue=accounts["revenue"],
    )
    template = Model.get("product.template")(name=name)
    template.default_uom = Model.get("product.uom").find([("name", "=", "Unit")])[0]
    template.type, template.salable, template.list_price = "goods", True, Decimal(price)
    template.account_category = category
    template.save()
    return template.products[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
