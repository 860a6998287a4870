"""Reasons of the checks of types, as msgspec and Python word them, become sentences that can be translated."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from django.utils import translation

from tasks_app.services.arguments.sentences import reason_text


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        ("x", int, "Isto deve ser um número inteiro."),
        (True, float, "Isto deve ser um número."),
        (1, str, "Isto deve ser um texto."),
        ("x", int | None, "Isto deve ser um número inteiro ou nada."),
        (1, list[int], "Isto deve ser uma lista."),
        (0, Annotated[int, msgspec.Meta(ge=1)], "Isto deve ser no mínimo 1."),
        (9, Annotated[int, msgspec.Meta(le=5)], "Isto deve ser no máximo 5."),
        (0.0, Annotated[float, msgspec.Meta(gt=0)], "Isto deve ser mais que 0.0."),
        ("abc", Annotated[str, msgspec.Meta(max_length=2)], "No máximo 2 caracteres."),
        ([1, 2], Annotated[list[int], msgspec.Meta(max_length=1)], "Podem ser informados no máximo 1."),
        ([1, "x"], list[int], "Item 2: Isto deve ser um número inteiro."),
        ("blue", Literal["red"], "Isto não é nenhum dos valores à escolha."),
        ("blue", Colour, "Isto não é nenhum dos valores à escolha."),
    ],
)
def test_a_wrong_type_is_said_in_the_language_of_the_reader(value: Any, kind: Any, sentence: str):
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(value, kind, strict=True)
    with translation.override("pt-br"):
        assert reason_text(str(refused.value)) == sentence


@pytest.mark.parametrize(
    ("args", "kwargs", "sentence"),
    [
        ([], {}, "Falta “device_id”."),
        ([1, 2, 3], {}, "São mais argumentos do que a tarefa tem."),
        ([1], {"nothing": 1}, "A tarefa não tem o argumento “nothing”."),
    ],
)
def test_wrong_arguments_are_too(args: list, kwargs: dict, sentence: str):
    def task(device_id: int, days: int = 1) -> None: ...

    with pytest.raises(TypeError) as refused:
        inspect.signature(task).bind(*args, **kwargs)
    with translation.override("pt-br"):
        assert reason_text(str(refused.value)) == sentence


def test_a_sentence_of_ours_stays_as_it_is():
    assert reason_text("“x” is not a date like 2026-01-31.") == "“x” is not a date like 2026-01-31."
