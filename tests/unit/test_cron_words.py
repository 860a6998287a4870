"""Cron expressions in words, in both languages."""

from __future__ import annotations

import pytest
from django.utils import translation

from tasks_app.admin.calls.cron_words import cron_words
from tasks_app.engine.recurrence import InvalidRecurrence, validate_cron

CASES = [
    ("0 3 * * *", "At 03:00", "Às 03:00"),
    ("@daily", "At 00:00", "Às 00:00"),
    ("30 3 * * 1-5", "At 03:30, from Monday to Friday", "Às 03:30, de segunda-feira a sexta-feira"),
    ("0 8,18 * * sat,sun", "At 08:00 and 18:00, on Saturday and Sunday", "Às 08:00 e 18:00, em: sábado e domingo"),
    ("0 22 * * 7", "At 22:00, on Sunday", "Às 22:00, em: domingo"),
    ("* * * * *", "Every minute", "A cada minuto"),
    ("*/15 * * * *", "Every 15 minutes", "A cada 15 minutos"),
    ("*/15 8-17 * * 1,3", "Every 15 minutes, from 08:00 to 17:59, on Monday and Wednesday",
     "A cada 15 minutos, de 08:00 a 17:59, em: segunda-feira e quarta-feira"),
    ("0 * * * *", "Every hour", "A cada hora"),
    ("5 * * * *", "Every hour at minute 5", "A cada hora no minuto 5"),
    ("0 */6 * * *", "Every 6 hours", "A cada 6 horas"),
    ("0 0 1 * *", "At 00:00, on day 1 of the month", "Às 00:00, no dia 1 do mês"),
    ("0 12 L * *", "At 12:00, on the last day of the month", "Às 12:00, no último dia do mês"),
    # Cron takes either of two days, not both: what the libraries say wrong.
    ("0 0 1,15 * 5", "At 00:00, on day 1 and 15 of the month or on Friday",
     "Às 00:00, no dia 1 e 15 do mês ou em: sexta-feira"),
    ("0 0 29 2 *", "At 00:00, on day 29 of the month, in February", "Às 00:00, no dia 29 do mês, em: fevereiro"),
    ("0 0 1 jan-mar *", "At 00:00, on day 1 of the month, from January to March",
     "Às 00:00, no dia 1 do mês, de janeiro a março"),
    ("* * * * * */30", "Every 30 seconds", "A cada 30 segundos"),
    ("0 9 * * 1#2", "At 09:00, on Monday number 2 of the month", "Às 09:00, segunda-feira número 2 do mês"),
]  # fmt: skip
WITHOUT_WORDS = ["5-59/7 1-20/3 * * *", "0 5 * * * 7", "", None, "nonsense", "@reboot", "</script>", "* * * *"]


@pytest.mark.parametrize(("expression", "english", "portuguese"), CASES)
def test_it_says_a_cron_expression_in_both_languages(expression, english, portuguese):
    with translation.override("en"):
        assert cron_words(expression) == english
    with translation.override("pt-br"):
        assert cron_words(expression).lower() == portuguese.lower()


@pytest.mark.parametrize("expression", [expression for expression, *_words in CASES])
def test_the_expressions_of_these_cases_are_taken_by_schedules(expression):
    try:
        validate_cron(expression)
    except InvalidRecurrence as error:
        pytest.fail(str(error))


@pytest.mark.parametrize("expression", WITHOUT_WORDS)
def test_an_expression_without_words_stays_as_it_is(expression):
    assert cron_words(expression) == (expression or "")
