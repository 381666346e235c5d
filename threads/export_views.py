"""Threads and messages as files, for whoever may see them; and a thread from a file."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods

from accounts.people import PersonRequest, signed_in
from common.errors import ZergError
from common.toasts import done
from threads.export import as_json, as_markdown, file_name, streamed
from threads.forms import ImportForm
from threads.importing import MOST_BYTES, import_thread
from threads.models import Thread, ThreadMessage

MARKDOWN, JSON = "text/markdown; charset=utf-8", "application/json"


@signed_in
@require_GET
def thread_markdown(request: PersonRequest, thread_id: int) -> StreamingHttpResponse:
    """The branch being read, or the one that ``?leaf=<message>`` ends."""
    thread = _thread(request, thread_id)
    leaf = request.GET.get("leaf", "")
    return _file(thread, "md", MARKDOWN, as_markdown(thread, int(leaf) if leaf.isdecimal() else None))


@signed_in
@require_GET
def thread_json(request: PersonRequest, thread_id: int) -> StreamingHttpResponse:
    """Everything, with all branches."""
    thread = _thread(request, thread_id)
    return _file(thread, "json", JSON, as_json(thread))


@signed_in
@require_GET
def message_markdown(request: PersonRequest, message_id: int) -> HttpResponse:
    """A message as it was written."""
    message = ThreadMessage.objects.get_for(request.user, message_id)
    return HttpResponse(message.content, content_type=MARKDOWN)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def bring(request: PersonRequest) -> HttpResponse:
    """A thread from a file that ``thread_json`` has made: the form, and what is done with it."""
    form = ImportForm(request.user, request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            data = form.cleaned_data["file"].read(MOST_BYTES + 1)
            thread = import_thread(request.user, data, agent=form.cleaned_data["agent"])
        except ZergError as error:
            form.add_error("file", error.message)
        else:
            done(request, "Imported.")
            return HttpResponseRedirect(reverse("threads:detail", args=[thread.pk]), status=303)
    status = 422 if request.method == "POST" else 200
    return render(request, "threads/page_import.html", {"form": form, "most": MOST_BYTES}, status=status)


def _thread(request: PersonRequest, thread_id: int) -> Thread:
    return Thread.objects.select_related("agent").get_for(request.user, thread_id)


def _file(thread: Thread, ending: str, kind: str, pieces: Iterator[str]) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(streamed(pieces), content_type=kind)
    name = content_disposition_header(as_attachment=True, filename=file_name(thread, ending))
    answer["Content-Disposition"] = name or "attachment"
    return answer
