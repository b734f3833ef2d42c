"""A page with a form that a service acts on."""

from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.generic import FormView

from config.rest.exceptions import Conflict, TooMany
from notifications.web.page import Page


class FormPage(Page, FormView):
    """Whatever is wrong comes back on the form, with a status that says so, and nothing has changed."""

    def act(self, form: Any) -> HttpResponse:
        """Do what the form asks for.

        Raises:
            ValidationError, Conflict, TooMany: it can't be done.
        """
        raise NotImplementedError

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return self.act(form)
        except ValidationError as error:
            refuse(form, error)
        except Conflict as error:
            form.add_error(None, str(error))
            return self.shown_again(form, status=409)
        except TooMany as error:
            form.add_error(None, str(error))
            return self.shown_again(form, status=429, headers={"Retry-After": str(error.seconds)})
        return self.form_invalid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.shown_again(form, status=422)

    def shown_again(self, form: Any, **response: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), **response)


def refuse(form: BaseForm, error: ValidationError) -> None:
    """Show on a form what a service found wrong, at its fields where it has them."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    shown = {field.name for field in form.visible_fields()}
    for field, errors in error.error_dict.items():
        form.add_error(field if field in shown else None, errors)


class Section(FormPage):
    """One of several forms on a page; it comes back with the whole page around it."""

    #: What the template calls this form.
    name: ClassVar[str]
    #: The page's own address, below which each of its forms has one.
    page: ClassVar[str]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Where a form that came back is loaded again.
        return HttpResponseRedirect(reverse(self.page))

    def everything(self) -> dict[str, Any]:
        """Return what the page shows besides."""
        raise NotImplementedError

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"auto_id": f"{self.name}_%s"}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return self.everything() | context | {self.name: context["form"]}

    def done(self, text: str) -> HttpResponse:
        messages.success(self.request, text)
        return HttpResponseRedirect(reverse(self.page))
