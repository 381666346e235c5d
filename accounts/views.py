"""Signing in and out, and what people set for themselves."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import services
from accounts.forms import PasswordForm, ProfileForm, SignInForm, TokenForm
from accounts.models import ApiToken, User
from accounts.people import PersonRequest, signed_in
from accounts.zones import ZONES
from common.errors import ZergError
from common.redirects import see_other

BACKEND = "django.contrib.auth.backends.ModelBackend"
GONE = 410


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page. ``next`` is followed only to an address of this site."""
    target = _safe_next(request)
    if request.user.is_authenticated:
        return redirect(target)
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                user = _checked(request, form.cleaned_data["email"], form.cleaned_data["password"])
                login(request, user)
                return see_other(target)
            except ZergError as error:
                form.add_error(None, error.message)
                status = error.status
    return render(request, "accounts/sign_in.html", {"form": form, "next": target}, status=status)


def _checked(request: HttpRequest, email: str, password: str) -> User:
    """The person with this e-mail and password. Raises ZergError when there is none, or after too many tries."""
    address = request.META.get("REMOTE_ADDR", "")
    services.note_try(email, address)
    user = authenticate(request, username=email, password=password)
    if not isinstance(user, User):
        raise ZergError("wrong_password", "This e-mail and password do not belong together. Try again.")
    services.forget_tries(email, address)
    return user


def _safe_next(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("home")


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return see_other("sign_in")


@never_cache
@require_safe
def sign_in_once(request: HttpRequest, token: str) -> HttpResponse:
    """Signs in with a link that works once, or says why it does not."""
    try:
        user = services.redeem_sign_in_link(token)
    except ZergError as error:
        return render(request, "accounts/link_over.html", {"error": error}, status=GONE)
    login(request, user, backend=BACKEND)
    return redirect("home")


@signed_in
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: PersonRequest) -> HttpResponse:
    """Name, zone and theme; and, as a form of its own, the password."""
    is_password = request.POST.get("form") == "password"
    data = request.POST if request.method == "POST" else None
    form = ProfileForm(None if is_password else data, instance=request.user)
    password_form = PasswordForm(data if is_password else None, user=request.user)
    if data is not None and is_password and password_form.is_valid():
        request.user.set_password(password_form.cleaned_data["new"])
        request.user.save(update_fields=["password"])
        update_session_auth_hash(request, request.user)  # other sessions end; this one goes on
        messages.success(request, "Your password is changed. You are signed out everywhere else.")
        return see_other("settings:profile")
    if data is not None and not is_password and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return see_other("settings:profile")
    context = {"form": form, "password_form": password_form, "zones": ZONES, "tab": "profile"}
    if data is not None:
        request.user.refresh_from_db()  # a refused form has written into the person that the page shows
    return render(request, "settings/profile.html", context, status=422 if data is not None else 200)


@signed_in
@require_POST
def theme(request: PersonRequest) -> HttpResponse:
    """Light, dark, or as the system; then back to where the person was."""
    wanted = request.POST.get("theme", "")
    if wanted not in User.Theme.values:
        raise ZergError("invalid", "Choose one of the themes.")
    User.objects.filter(pk=request.user.pk).update(theme=wanted)
    before = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(before, {request.get_host()}, require_https=request.is_secure())
    return see_other(before if is_ours else "home")


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: PersonRequest) -> HttpResponse:
    """The person's API tokens. A new one is shown in the answer to the form: to redirect it would have to be kept."""
    form = TokenForm(request.POST or None)
    shown, status = None, 200
    if request.method == "POST":
        if form.is_valid():
            _, shown = services.create_token(request.user, form.cleaned_data["name"], form.cleaned_data["scopes"])
            form = TokenForm()
        else:
            status = 422
    rows = ApiToken.objects.for_user(request.user).filter(revoked_at=None).order_by("-id")
    context = {"form": form, "tokens": rows, "shown": shown, "tab": "tokens"}
    return render(request, "settings/tokens.html", context, status=status)


@signed_in
@require_POST
def revoke_token(request: PersonRequest, pk: int) -> HttpResponse:
    token = ApiToken.objects.get_for(request.user, pk)
    services.revoke_token(token)
    messages.success(request, f"“{token.name}” is revoked. Programs that use it are refused from now on.")
    return see_other("settings:tokens")


@signed_in
@require_safe
def settings_home(request: PersonRequest) -> HttpResponse:
    return redirect("settings:profile")
