"""Base of the API's views."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, NoReturn

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from tasks_app.api.fields import StrictSerializer
from tasks_app.api.idempotency import answered_once, takes_key
from tasks_app.api.lists import problems_of_names
from tasks_app.api.parsers import JSONBodyParser, check_no_body, json_body, media_type_of
from tasks_app.api.permissions import HasRight
from tasks_app.api.scopes import check_commanding, check_scope, needed_scopes
from tasks_app.api.sparse import fields_query, pruned
from tasks_app.models import Scope
from tasks_app.queries.access import Right
from tasks_app.utils.budgets import Taken

# A change that was to be made under one would be made without it.
CONDITIONS = ("If-Match", "If-None-Match", "If-Unmodified-Since")


class AlwaysJSON(BaseContentNegotiation):
    """Answer JSON whatever Accept and ?format= say; ?format= is a parameter of ours where it means something."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        return next((parser for parser in parsers if parser.media_type == media_type_of(request)), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """Takes and answers JSON; `body` and `parameters` validate what came or raise a 400 that names each field."""

    parser_classes = [JSONBodyParser]
    content_negotiation_class = AlwaysJSON
    permission_classes: list[Any] = [HasRight]
    # What each method asks for. The page of permissions in the documentation is written from these.
    rights: Mapping[str, Right] = {}
    # The budget of requests that change something (API_REQUESTS_PER_MINUTE), and what this request took from its own.
    budget = "writes"
    taken: Taken | None = None
    # Of API tokens: one of these scopes is needed for safe methods, and for the others.
    scopes_to_read: Collection[Scope] = (Scope.READ,)
    scopes_to_change: Collection[Scope] = (Scope.WRITE,)
    # The methods whose requests are commanding by what they hold, which takes the scope `operate` besides (see `scopes`).
    commanding: Collection[str] = ()

    @property
    def right(self) -> Right | None:
        """The right required by the request's method."""
        return self.rights.get(self._method)

    @property
    def asked(self) -> Right:
        """The same, in the handler of a method that has a right."""
        return self.rights[self._method]

    @property
    def _method(self) -> str:
        """The request's method; HEAD is answered by the handler of GET."""
        method = self.request.method or ""
        return "GET" if method == "HEAD" else method

    def permission_denied(self, request: Request, message: Any = None, code: str | None = None) -> NoReturn:
        """Count a request without a credential for its address, as DRF looks at limits only after permissions."""
        if not request.user.is_authenticated:
            self.check_throttles(request)
        super().permission_denied(request, message=message, code=code)

    def check_permissions(self, request: Request) -> None:
        """Besides the rights of the user, require the scope of the token that was sent, if one was. Raises PermissionDenied."""
        super().check_permissions(request)
        if request.auth is not None:
            check_scope(request.auth, needed_scopes(self, self._method))

    def check_commanding(self, is_commanding: bool = True) -> None:
        """Require the scope `operate` for a commanding request, if a token was sent. Raises PermissionDenied."""
        assert self._method in self.commanding
        check_commanding(self.request.auth, is_commanding)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Have a request with an Idempotency-Key answered once, after it was found to be permitted."""
        super().initial(request, *args, **kwargs)
        self._refuse_what_is_not_taken(request)
        if takes_key(request, self):
            # The view is made anew for each request.
            setattr(self, "post", partial(answered_once, request, getattr(self, "post")))  # noqa: B009, B010

    def _refuse_what_is_not_taken(self, request: Request) -> None:
        """Refuse query parameters, a body and conditions that the operation would not look at. Raises ValidationError."""
        handler: Any = getattr(self, self._method.lower(), None)
        if not getattr(handler, "ignores_nothing", False):
            return
        problems = {} if handler.takes_parameters else problems_of_names(request.query_params, frozenset())
        if self._method not in SAFE_METHODS:
            conditions = [name for name in CONDITIONS if name in request.headers]
            problems |= {name: [_("Only GET and HEAD take a condition.")] for name in conditions}
        if problems:
            raise ValidationError(problems)
        if self._method not in SAFE_METHODS and not handler.takes_body:
            check_no_body(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the headers of the budget."""
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in (self.taken.headers if self.taken else {}).items():
            response.headers[name] = value
        return response

    def body(
        self, serializer_class: type[Serializer[Any]], *, changing: Any = None, shown: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The validated JSON body; of one that is `changing` a row, a part of its fields. Raises ValidationError.

        Where another serializer shows the row, `shown` is what that answers.
        """
        is_change = changing is not None
        data = json_body(self.request)
        return self._validated(serializer_class, data, shown=shown, instance=changing, partial=is_change)

    def parameters(self, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
        """The validated query parameters, each of which may be sent once. Raises ValidationError."""
        sent = self.request.query_params
        if twice := {name[:100]: [_("Give it once.")] for name, values in sent.lists() if len(values) > 1}:
            raise ValidationError(twice)
        return self._validated(serializer_class, sent.dict())

    def shown(self, serializer_class: type[Serializer[Any]], row: Any) -> Any:
        """Return one row as JSON, with the fields that the request asks for. Raises ValidationError."""
        wanted = self.parameters(fields_query(serializer_class)).get("fields")
        return pruned(serializer_class(row, context={"request": self.request}), wanted).data

    def _validated(
        self,
        serializer_class: type[Serializer[Any]],
        data: Any,
        *,
        shown: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        context = {"request": self.request, "shown": shown or {}}
        serializer = serializer_class(data=data, context=context, **options)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


class PrivateView(ApiView):
    """Base of answers with secrets, which no cache may keep, not even the browser's."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response
